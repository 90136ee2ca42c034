"""Finds the files to follow: the regular files that globs match, each once however many names it has.

Only directories are read, never a file. Each base directory is looked at separately, in a thread: a slow disk or large
tree must not delay lines, and a directory that hangs must not delay the others.
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
"""Nanoseconds within which a directory may change and keep its modification time."""

_PAUSES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0)
"""Seconds between two listings of a directory in which files are being renamed: a rotation takes a few milliseconds."""

Stamp = tuple[int, int]
"""Size in bytes and modification time in ns. While both are the same, there is nothing new in a file."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file with this status."""
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Origin:
    """What leads to a file: an input and one of its globs, or the spool that the file is a segment of."""

    settings: Input
    glob: str
    segment: Segment | None = None

    @property
    def base(self) -> str:
        """The directory in which the glob begins: the last one before the first wildcard."""
        parts = os.path.abspath(self.glob).split("/")  # noqa: PTH100  # a glob is no path
        fixed = [is_pattern(part) for part in parts[:-1]]
        return "/".join(parts[: fixed.index(True) if True in fixed else -1]) or "/"


Family = tuple[str, str]
"""A directory, and the name of a live file whose rotated files may be there."""


@dataclass(frozen=True, slots=True)
class BaseListing:
    """What was found under a base directory at the time `began` (Unix time).

    matches: the path, inode and stamp of each origin's files.   The other fields are as in Discovery.
    """

    began: float
    matches: dict[Origin, list[tuple[str, Inode, Stamp]]]
    unreadable: dict[str, str]
    vacant: dict[str, Origin]
    wanted: dict[str, set[str]]
    families: dict[str, set[Family]] = field(default_factory=dict)
    siblings: dict[str, list[Sibling]] = field(default_factory=dict)


class Found(NamedTuple):
    """A file: all paths at which it was found, the origin that matched it first, and its stamp at that time."""

    paths: list[str]
    origin: Origin
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found at the time `began` (Unix time).

    unreadable: directories and files that could not be looked at, with the reason.   matched: globs that match a file.
    vacant: paths of single files (globs without wildcards) that do not exist, with their origin.
    overlaps: files that a further input matches too, by the names of the first and the further input.
    wanted: where a change may lead to another discovery: directories, and in each the patterns of names that matter.
    families: where the rotated files of each live file may be, unless an earlier discovery said so.
    siblings: the rotated files of the directories that have changed, by directory.
    late: globs whose directories have not answered. Their files are as in the last answer.
    remote: globs that lead to network file systems, where any operation on a file may block.
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
    """A file to open, of the log `live`. is_matched: whether a glob leads to it."""

    file: Sibling
    live: str
    origin: Origin
    is_matched: bool = True

    @property
    def inode(self) -> Inode:
        return self.file.inode

    @property
    def path(self) -> str:
        return self.file.path


def discover(
    inputs: Sequence[Input],
    excluded: Sequence[str] = (),
    directories: Directories | None = None,
    followed: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Discovery:
    """Find the files that the inputs match now.

    excluded: directories whose files are never followed, whatever path leads to them.   The rest is as in `look`.
    """
    origins, known = origins_of(inputs), directories or Directories()
    return joined(origins, {base: look(each, excluded, known, followed) for base, each in by_base(origins).items()})


def origins_of(inputs: Sequence[Input]) -> list[Origin]:
    """Return one origin for each glob of the inputs, in their order."""
    return [Origin(settings, glob) for settings in inputs for glob in settings.globs]


def by_base(origins: Sequence[Origin]) -> dict[str, list[Origin]]:
    """Group these origins by base directory."""
    found: dict[str, list[Origin]] = {}
    for origin in origins:
        found.setdefault(origin.base, []).append(origin)
    return found


def look(
    origins: Sequence[Origin],
    excluded: Sequence[str],
    directories: Directories,
    followed: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> BaseListing:
    """Find what these origins of one base directory lead to now.

    directories: the listings of this base, kept from look to look.
    followed: by glob, the live paths of the logs that it has led to before.
    """
    found = BaseListing(time.time(), {}, {}, {}, {})
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
    """Yield where the rotated files of a path's log may be: beside the path and beside its target, and in `olddir`."""
    for each in dict.fromkeys((path, real)):
        directory, _, name = live_path(each).rpartition("/")
        yield directory, name
        if settings.olddir:
            yield os.path.join(directory, settings.olddir), name  # noqa: PTH118


def joined(
    origins: Sequence[Origin],
    looks: Mapping[str, BaseListing],
    late: Collection[str] = (),
    remote: Collection[str] = (),
) -> Discovery:
    """Merge the looks into all base directories.

    origins: all of them, in the order of the configuration.
    late: base directories whose look is an old one.   remote: those that are on network file systems.
    """
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
    """Report whether the input excludes this file: by its name, or by its path where a pattern has a `/`."""
    if not settings.exclude:
        return False
    names, paths = _excluding(settings.exclude)
    return bool(names.match(path.rpartition("/")[2]) or paths.match(path))


@lru_cache
def _excluding(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return an expression for the names, and one for the paths, that these patterns exclude."""
    return (
        _any_of([pattern for pattern in patterns if "/" not in pattern]),
        _any_of([pattern for pattern in patterns if "/" in pattern]),
    )


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)")


class Directories:
    """The rotated files beside those of a base. A directory is listed again only when it has changed."""

    def __init__(self) -> None:
        self._families: dict[str, set[str]] = {}
        self._listed: dict[str, int] = {}
        self._leads: dict[Origin, dict[str, str]] = {}

    def changed(self, origin: Origin, leads: dict[str, str]) -> list[str]:
        """Return the paths that are new or lead elsewhere since the last call. leads: where each path leads now."""
        before, self._leads[origin] = self._leads.get(origin, {}), leads
        return [path for path, real in leads.items() if before.get(path) != real]

    def siblings(self, families: Iterable[Family]) -> dict[str, list[Sibling]]:
        """Return the rotated files of these and all earlier families, by directory, where that has changed."""
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
                continue  # Tree reports the directories that globs lead through; an `olddir` stays unreported
        return found


def _rotated(directory: str, names: Collection[str]) -> list[Sibling]:
    """Return the regular files in a directory whose names say that they are rotated files of `names`.

    Rotation may be renaming them one after the other. Then the directory is listed again until two listings agree.
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
    """List the directory once. Also return whether each file was still the one in the listing when it was looked at."""
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
