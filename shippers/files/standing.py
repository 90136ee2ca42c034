"""Which files stand where the generations of each log do, as was last discovered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shippers.files.discovery import Discovery, Family, Origin
from shippers.files.rotation import Sibling, live_path, ordered, read_name, stem
from shippers.files.tree import Inode
from shippers.input import is_compressed


class Standing:
    """origins: what led to each log before.

    changed: the logs of which other files stand than before, until `changed` is cleared.
    """

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self.changed: set[str] = set()
        self._origins = dict(origins)
        self._by_stem: dict[str, str] = {}
        self._families: dict[str, set[Family]] = {}
        self._lives: dict[Family, set[str]] = {}
        self._rotated: dict[str, dict[str, list[Sibling]]] = {}
        self._matched: dict[str, list[Sibling]] = {}

    def note(self, discovery: Discovery) -> None:
        """Take in what was discovered."""
        for live in discovery.families:
            if stem(live) != live:
                self._by_stem.setdefault(stem(live), live)
        self._note_matched(discovery)
        for path, origin in discovery.vacant.items():
            self._origins.setdefault(self.log_of(path), origin)
        for live in discovery.families.keys() & self._origins.keys():
            self._note_families(live, discovery.families[live])
        for directory, siblings in discovery.siblings.items():
            before, now = self._rotated.get(directory, {}), _by_base(siblings)
            self._rotated[directory] = now
            for base in before.keys() | now.keys():
                if before.get(base) != now.get(base):
                    self.changed |= self._lives.get((directory, base), set())

    def of(self, live: str) -> dict[Inode, Sibling]:
        """The files of a log, oldest first."""
        files = {each.inode: each for each in (*self.rotated(live), *reversed(self._matched.get(live, ())))}
        return {each.inode: each for each in ordered(list(files.values()), live)}

    def rotated(self, live: str) -> Iterator[Sibling]:
        """Those whose names say that they were rotated, whether a glob leads to them or not."""
        for directory, base in self._families.get(live, ()):
            rotated = self._rotated.get(directory, {})
            yield from rotated.get(base, ())
            if stem(base) != base:
                yield from (each for each in rotated.get(stem(base), ()) if is_compressed(each.path))

    def log_of(self, path: str) -> str:
        """The log that a file is of, by its path. What `app-2026.gz` was made of is `app.log`, if there is that."""
        live = live_path(path)
        return self._by_stem.get(live, live) if is_compressed(path) else live

    def origin(self, live: str) -> Origin:
        """What leads to a log."""
        return self._origins[live]

    def _note_families(self, live: str, families: set[Family]) -> None:
        for each in families - self._families.setdefault(live, set()):
            self._families[live].add(each)
            for name in {each[1], stem(each[1])}:
                self._lives.setdefault((each[0], name), set()).add(live)
            self.changed.add(live)

    def _note_matched(self, discovery: Discovery) -> None:
        before, self._matched = self._matched, {}
        for inode, found in discovery.files.items():
            for path in found.paths:
                live = self.log_of(path)
                self._origins.setdefault(live, found.origin)
                self._matched.setdefault(live, []).append(Sibling(path, inode, *found.stamp))
        for live in before.keys() | self._matched.keys():
            if _places(before.get(live, ())) != _places(self._matched.get(live, ())):
                self.changed.add(live)


def _places(files: Iterable[Sibling]) -> list[tuple[str, Inode]]:
    return [(each.path, each.inode) for each in files]


def _by_base(siblings: Iterable[Sibling]) -> dict[str, list[Sibling]]:
    found: dict[str, list[Sibling]] = {}
    for each in siblings:
        name = read_name(each.path.rpartition("/")[2])
        found.setdefault(name.base if name else "", []).append(each)
    return found
