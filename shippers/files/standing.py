"""Assigns files to logs: which files are where each log's generations are, as of the last discovery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shippers.files.discovery import Discovery, Family, Found, Origin
from shippers.files.rotation import Sibling, live_path, ordered, read_name, stem
from shippers.files.tree import Inode
from shippers.input import is_compressed


class LogFiles:
    """The files of each log.

    origins: by live path, what led to each log before.
    changed: the logs whose files have changed; the caller clears it.
    """

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self.changed: set[str] = set()
        self._origins = dict(origins)
        self._stems: dict[str, list[str]] | None = None
        self._elsewhere: dict[str, set[Family]] = {}
        self._lives: dict[Family, set[str]] = {}
        self._rotated: dict[str, dict[str, list[Sibling]]] = {}
        self._files: dict[Inode, Found] = {}
        self._matched: dict[str, tuple[Inode, ...]] = {}

    def note(self, discovery: Discovery) -> None:
        """Update the files from a discovery."""
        for _, found in self._moved(discovery.files):
            for live in map(live_path, found.paths):
                if stem(live) != live or live in found.paths:  # `app`, from `app-2026.gz`, may stand for `app.log`
                    self._know(live, found.origin)
        for path, origin in discovery.vacant.items():
            self._know(self.log_of(path), origin)
        self._note_matched(discovery.files)
        for live, families in discovery.families.items():
            self._note_families(live, families)
        for directory, siblings in discovery.siblings.items():
            before, now = self._rotated.get(directory, {}), _by_base(siblings)
            self._rotated[directory] = now
            for base in before.keys() | now.keys():
                if before.get(base) != now.get(base):
                    self.changed |= self._lives_of(directory, base) & self._origins.keys()

    def of(self, live: str) -> dict[Inode, Sibling]:
        """Return the files of a log, oldest first."""
        matched = sorted((self._sibling(live, inode) for inode in self._matched.get(live, ())), reverse=True)
        files = {each.inode: each for each in (*self.rotated(live), *matched)}
        return {each.inode: each for each in ordered(list(files.values()), live)}

    def rotated(self, live: str) -> Iterator[Sibling]:
        """Yield a log's files whose names say that they were rotated, whether or not a glob leads to them."""
        for directory, base in (_place(live), *self._elsewhere.get(live, ())):
            rotated = self._rotated.get(directory, {})
            yield from rotated.get(base, ())
            if stem(base) != base:
                yield from (each for each in rotated.get(stem(base), ()) if is_compressed(each.path))

    def log_of(self, path: str) -> str:
        """Return the live path of the log that a path belongs to. `app-2026.gz` is of `app.log` if that is a log."""
        live = live_path(path)
        return next(iter(self._with_stem(live)), live) if is_compressed(path) else live

    def origin(self, live: str) -> Origin:
        return self._origins[live]

    def forget(self, live: str) -> None:
        """Drop a log."""
        self._origins.pop(live, None)
        self._stems = None
        for directory, base in self._elsewhere.pop(live, ()):
            for name in {base, stem(base)}:
                self._lives[directory, name].discard(live)

    def _know(self, live: str, origin: Origin) -> None:
        if live not in self._origins:
            self._origins[live] = origin
            if self._stems is not None:
                self._add_stem(live, self._stems)

    def _with_stem(self, path: str) -> list[str]:
        """Return the logs whose paths are this path with an ending. The index is built on first use: few need it."""
        if stem(path) != path:
            return []
        if self._stems is None:
            self._stems = {}
            for live in self._origins:
                self._add_stem(live, self._stems)
        return self._stems.get(path, [])

    def _add_stem(self, live: str, stems: dict[str, list[str]]) -> None:
        short = stem(live)
        if short != live:
            stems.setdefault(short, []).append(live)
            if short in self._matched:  # compressed files there may be of this log, so all files are assigned anew
                self._matched.clear()
                self._files.clear()

    def _note_families(self, live: str, families: set[Family]) -> None:
        known = self._elsewhere.get(live, set())
        further = families - known - {_place(live)}
        if further:
            self._elsewhere[live] = known | further
            for directory, base in further:
                for name in {base, stem(base)}:
                    self._lives.setdefault((directory, name), set()).add(live)
            self.changed |= {live} & self._origins.keys()

    def _lives_of(self, directory: str, base: str) -> set[str]:
        """Return the logs whose rotated files, with this base name, may be in the directory."""
        path = f"{directory}/{base}"
        return {path, *self._with_stem(path), *self._lives.get((directory, base), ())}

    def _moved(self, files: Mapping[Inode, Found]) -> Iterator[tuple[Inode, Found]]:
        """Yield the files whose paths differ from the last discovery."""
        for inode, found in files.items():
            known = self._files.get(inode)
            if known is None or known.paths != found.paths:
                yield inode, found

    def _note_matched(self, files: Mapping[Inode, Found]) -> None:
        moved = list(self._moved(files))
        for inode in (*(self._files.keys() - files.keys()), *(inode for inode, _ in moved)):
            for live in {self.log_of(path) for path in self._files[inode].paths} if inode in self._files else ():
                self.changed.add(live)
                self._matched[live] = tuple(each for each in self._matched[live] if each != inode)
                if not self._matched[live]:
                    del self._matched[live]
        for inode, found in moved:
            for live in {self.log_of(path): None for path in found.paths}:
                self._origins.setdefault(live, found.origin)
                self._matched[live] = (*(each for each in self._matched.get(live, ()) if each != inode), inode)
                self.changed.add(live)
        self._files = dict(files)

    def _sibling(self, live: str, inode: Inode) -> Sibling:
        found = self._files[inode]
        return Sibling(next(path for path in found.paths if self.log_of(path) == live), inode, *found.stamp)


def _place(live: str) -> Family:
    """Return where rotated files of a log may be in any case: beside the live file."""
    directory, _, name = live.rpartition("/")
    return directory, name


def _by_base(siblings: list[Sibling]) -> dict[str, list[Sibling]]:
    found: dict[str, list[Sibling]] = {}
    for each in siblings:
        name = read_name(each.path.rpartition("/")[2])
        found.setdefault(name.base if name else "", []).append(each)
    return found
