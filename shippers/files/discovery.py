"""Which files there are to follow: globs -> the regular files that they match, each once however many names it has.

Reads directories only, never a file. Each base directory is looked at by itself, in a thread: a slow disk or a large
tree must not hold up the lines, and one that hangs must not hold up the others.
"""

# Thousands of paths are looked at in a scan, as plain strings.
# ruff: noqa: PTH116

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from shippers.files.rotation import Sibling, live_path, read_name, stem
from shippers.files.tree import Inode, Tree, is_pattern
from shippers.input import Input, is_compressed
from shippers.spool.spool import Segment

_GRAIN = 2 * 10**9
"""Nanoseconds within which a directory may change without another time."""

_PAUSES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0)
"""Seconds between two lists of a directory in which files are renamed: a rotation takes a few milliseconds."""

Stamp = tuple[int, int]
"""Size and time of the last change: as long as both are the same there is nothing new in a file."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Of a file with this status."""
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Origin:
    """What leads to a file: an input, and one of its globs; or the spool that it is a segment of."""

    settings: Input
    glob: str
    segment: Segment | None = None

    @property
    def base(self) -> str:
        """The directory in which the glob begins: what stands before the first wildcard."""
        parts = os.path.abspath(self.glob).split("/")  # noqa: PTH100  # a glob is no path
        fixed = [is_pattern(part) for part in parts[:-1]]
        return "/".join(parts[: fixed.index(True) if True in fixed else -1]) or "/"


Family = tuple[str, str]
"""A directory, and the name of a live file whose rotated files may stand there."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was under a base directory at the time `began` (Unix time).

    matches: of each origin the files, by path, inode and stamp.   The rest is as in a Discovery.
    """

    began: float
    matches: dict[Origin, list[tuple[str, Inode, Stamp]]]
    unreadable: dict[str, str]
    vacant: dict[str, Origin]
    wanted: dict[str, set[str]]
    families: dict[str, set[Family]] = field(default_factory=dict)
    siblings: dict[str, list[Sibling]] = field(default_factory=dict)


class Found(NamedTuple):
    """A file: all names under which it was met, what met it first, and how it was then."""

    paths: list[str]
    origin: Origin
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was there at the time `began` (Unix time).

    unreadable: directories and files that could not be looked at, with the reason.   matched: globs that met a file.
    vacant: the places of single files (of globs without wildcards) where none is.   overlaps: files that a further
    input matches, by the names of the first and the further one.   wanted: where a change may lead to another
    discovery: directories, and patterns of the names in each that matter.
    families: of each live file where its rotated ones may stand, if that is not known from an earlier discovery.
    siblings: these, of directories that have changed.
    late: globs whose directories have not answered; what they lead to is as it was when they last did.
    remote: globs that lead to file systems of other machines, where whatever is done with a file may wait.
    """

    began: float
    files: dict[Inode, Found] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)
    vacant: dict[str, Origin] = field(default_factory=dict)
    overlaps: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    wanted: dict[str, set[str]] = field(default_factory=dict)
    families: dict[str, set[Family]] = field(default_factory=dict)
    siblings: dict[str, list[Sibling]] = field(default_factory=dict)
    late: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()


class Wanted(NamedTuple):
    """A file that is to be opened, of the log `live`. is_matched: whether a glob leads to it."""

    file: Sibling
    live: str
    origin: Origin
    is_matched: bool = True

    @property
    def inode(self) -> Inode:
        """Of the file."""
        return self.file.inode

    @property
    def path(self) -> str:
        """Of the file."""
        return self.file.path


def discover(
    inputs: Sequence[Input],
    excluded: Sequence[str] = (),
    directories: Directories | None = None,
    followed: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Discovery:
    """The files that the inputs match now. `excluded` are directories whose files are never followed, by any path."""
    origins, known = origins_of(inputs), directories or Directories()
    return joined(origins, {base: look(each, excluded, known, followed) for base, each in by_base(origins).items()})


def origins_of(inputs: Sequence[Input]) -> list[Origin]:
    """One for each glob, in their order."""
    return [Origin(settings, glob) for settings in inputs for glob in settings.globs]


def by_base(origins: Sequence[Origin]) -> dict[str, list[Origin]]:
    """The origins of each base directory."""
    found: dict[str, list[Origin]] = {}
    for origin in origins:
        found.setdefault(origin.base, []).append(origin)
    return found


def look(
    origins: Sequence[Origin],
    excluded: Sequence[str],
    directories: Directories,
    followed: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Look:
    """What these lead to now.

    directories: of this base, looked at before.   followed: live paths of logs that each glob has led to before.
    """
    found = Look(time.time(), {}, {}, {}, {})
    tree = Tree(found.unreadable, [os.path.realpath(directory) for directory in excluded])
    for origin in origins:
        matches = found.matches.setdefault(origin, [])
        leads = {path: tree.real_path(path) for path in followed.get(origin.glob, ())}
        for path in tree.expand(origin.glob):
            real = tree.real_path(path)
            if is_excluded(path, origin.settings) or tree.is_ours(real):
                continue
            status = tree.file(path)
            if status is not None:
                matches.append((path, (status.st_dev, status.st_ino), stamp_of(status)))
            elif not is_pattern(origin.glob):
                found.vacant.setdefault(path, origin)
            leads[path] = real
        for path in directories.changed(origin, leads):
            found.families.setdefault(live_path(path), set()).update(_families(path, leads[path], origin.settings))
    found.wanted.update(tree.wanted)
    found.siblings.update(directories.siblings(each for those in found.families.values() for each in those))
    return found


def _families(path: str, real: str, settings: Input) -> Iterator[Family]:
    """Where rotated files of the log stand that a path is of: beside it, beside what it links to, where it is told."""
    for each in dict.fromkeys((path, real)):
        directory, _, name = live_path(each).rpartition("/")
        yield directory, name
        if settings.olddir:
            yield os.path.join(directory, settings.olddir), name  # noqa: PTH118


def joined(
    origins: Sequence[Origin], looks: Mapping[str, Look], late: Collection[str] = (), remote: Collection[str] = ()
) -> Discovery:
    """All looks by base directory, those into `late` ones being old; origins: of all, in their order."""
    fresh = [each for base, each in looks.items() if base not in late]
    found = Discovery(
        min((each.began for each in fresh), default=time.time()),
        late=frozenset(origin.glob for origin in origins if origin.base in late),
        remote=frozenset(origin.glob for origin in origins if origin.base in remote),
    )
    for each in fresh:
        found.vacant.update(each.vacant)
        found.siblings.update(each.siblings)
    for each in looks.values():
        found.unreadable.update(each.unreadable)
        for live, families in each.families.items():
            found.families.setdefault(live, set()).update(families)
        for directory, names in each.wanted.items():
            found.wanted.setdefault(directory, set()).update(names)
    for origin in origins:
        seen = looks.get(origin.base)
        for path, inode, stamp in seen.matches.get(origin, ()) if seen is not None else ():
            file = found.files.setdefault(inode, Found([], origin, stamp))
            if path not in file.paths:
                file.paths.append(path)
            if file.origin is not origin and file.origin.settings != origin.settings:
                found.overlaps.setdefault((file.origin.settings.name, origin.settings.name), []).append(path)
            found.matched.add(origin.glob)
    return found


def is_excluded(path: str, settings: Input) -> bool:
    """Whether a pattern of the input keeps this file out: by its name, or by its path if the pattern has a `/`."""
    if not settings.exclude:
        return False
    names, paths = _excluding(settings.exclude)
    return bool(names.match(path.rpartition("/")[2]) or paths.match(path))


@lru_cache
def _excluding(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What matches the names, and the paths, that these patterns keep out."""
    return (
        _any_of([pattern for pattern in patterns if "/" not in pattern]),
        _any_of([pattern for pattern in patterns if "/" in pattern]),
    )


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)")


class Directories:
    """What stands beside the files of a base, listed again where a directory has changed since."""

    def __init__(self) -> None:
        self._families: dict[str, set[str]] = {}
        self._listed: dict[str, int] = {}
        self._leads: dict[Origin, dict[str, str]] = {}

    def changed(self, origin: Origin, leads: dict[str, str]) -> list[str]:
        """The paths that led elsewhere, or nowhere, when this was asked last. leads: where each path leads now."""
        before, self._leads[origin] = self._leads.get(origin, {}), leads
        return [path for path, real in leads.items() if before.get(path) != real]

    def siblings(self, families: Iterable[Family]) -> dict[str, list[Sibling]]:
        """The rotated files of these and of all that were asked for before, by directory, where that has changed."""
        found: dict[str, list[Sibling]] = {}
        for directory, name in families:
            known = self._families.setdefault(directory, set())
            if name not in known:
                known.add(name)
                self._listed.pop(directory, None)
        for directory, names in self._families.items():
            try:
                changed = os.stat(directory).st_mtime_ns
                if self._listed.get(directory) != changed:
                    is_settled = time.time_ns() - changed > _GRAIN
                    found[directory] = _rotated(directory, names)
                    self._listed[directory] = changed if is_settled else 0
            except (FileNotFoundError, NotADirectoryError):
                if self._listed.pop(directory, None) is not None:
                    found[directory] = []
            except OSError:
                continue  # the tree says so
        return found


def _rotated(directory: str, names: Collection[str]) -> list[Sibling]:
    """The regular files in a directory whose names say that they were such live files.

    Rotation may rename them one after the other meanwhile: then they are listed again, until two lists are the same.
    """
    stems = {stem(name) for name in names}
    before: list[Sibling] | None = None
    for pause in _PAUSES:
        siblings, is_at_rest = _listed(directory, names, stems)
        if is_at_rest or siblings == before:
            break
        before = siblings
        time.sleep(pause)
    return siblings


def _listed(directory: str, names: Collection[str], stems: Collection[str]) -> tuple[list[Sibling], bool]:
    """The same, and whether each of them was still what the list said when it was looked at."""
    siblings, is_at_rest = [], True
    with os.scandir(directory) as entries:
        numbers = {entry.name: entry.inode() for entry in entries}
    for name, number in numbers.items():
        found = read_name(name)
        if found is not None and (found.base in names or (found.base in stems and is_compressed(name))):
            path = f"{directory}/{name}"
            try:
                status = os.stat(path, follow_symlinks=False)
            except OSError:
                is_at_rest = False
                continue
            is_at_rest = is_at_rest and status.st_ino == number
            if stat.S_ISREG(status.st_mode):
                siblings.append(Sibling(path, (status.st_dev, status.st_ino), *stamp_of(status)))
    return siblings, is_at_rest
