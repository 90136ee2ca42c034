"""Which files there are to follow: globs -> the regular files that they match, each once however many names it has.

Reads directories only, never a file. Each base directory is looked at by itself, in a thread: a slow disk or a large
tree must not hold up the lines, and one that hangs must not hold up the others.
"""

# Thousands of paths are looked at in a scan, as plain strings.
# ruff: noqa: PTH116, PTH120, PTH208

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from shippers.input import Input
from shippers.inputs.tree import Inode, Tree, is_pattern
from shippers.spool import Segment

_ROTATED = re.compile(r"[.\-_](\d.*|old|bak|prev)", re.DOTALL)
_SLACK = 2.0
"""Seconds by which a file system's clock may differ from ours."""

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


@dataclass(frozen=True, slots=True)
class Found:
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
    late: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()


class Wanted(NamedTuple):
    """A file that is to be opened."""

    inode: Inode
    path: str
    origin: Origin


def discover(inputs: Sequence[Input], excluded: Sequence[str] = ()) -> Discovery:
    """The files that the inputs match now. `excluded` are directories whose files are never followed, by any path."""
    origins = origins_of(inputs)
    return joined(origins, {base: look(each, excluded) for base, each in by_base(origins).items()})


def origins_of(inputs: Sequence[Input]) -> list[Origin]:
    """One for each glob, in their order."""
    return [Origin(settings, glob) for settings in inputs for glob in settings.globs]


def by_base(origins: Sequence[Origin]) -> dict[str, list[Origin]]:
    """The origins of each base directory."""
    found: dict[str, list[Origin]] = {}
    for origin in origins:
        found.setdefault(origin.base, []).append(origin)
    return found


def look(origins: Sequence[Origin], excluded: Sequence[str]) -> Look:
    """What these lead to now."""
    found = Look(time.time(), {}, {}, {}, {})
    tree = Tree(found.unreadable, [os.path.realpath(directory) for directory in excluded])
    for origin in origins:
        matches = found.matches.setdefault(origin, [])
        for path in tree.expand(origin.glob):
            if is_excluded(path, origin.settings) or tree.is_ours(path):
                continue
            status = tree.file(path)
            if status is not None:
                matches.append((path, (status.st_dev, status.st_ino), stamp_of(status)))
            elif not is_pattern(origin.glob):
                found.vacant.setdefault(path, origin)
    found.wanted.update(tree.wanted)
    return found


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
    for each in looks.values():
        found.unreadable.update(each.unreadable)
        for directory, names in each.wanted.items():
            found.wanted.setdefault(directory, set()).update(names)
    for origin in origins:
        seen = looks.get(origin.base)
        for path, inode, stamp in seen.matches.get(origin, ()) if seen is not None else ():
            file = found.files.setdefault(inode, Found([], origin, stamp))
            if path not in file.paths:
                file.paths.append(path)
            if file.origin.settings != origin.settings:
                found.overlaps.setdefault((file.origin.settings.name, origin.settings.name), []).append(path)
            found.matched.add(origin.glob)
    return found


def is_excluded(path: str, settings: Input) -> bool:
    """Whether a pattern of the input keeps this file out: by its name, or by its path if the pattern has a `/`."""
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


class Listing:
    """The names in directories, each read once: what is there at one moment, matched by a glob or not."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._beside: dict[str, dict[Inode, tuple[str, os.stat_result]]] = {}

    def named(self, directory: str, beginning: str = "") -> Iterator[tuple[str, os.stat_result]]:
        """The regular files in a directory whose names begin so; none where it cannot be read."""
        if directory not in self._names:
            try:
                self._names[directory] = os.listdir(directory)
            except OSError:
                self._names[directory] = []  # it is gone, or discover reports it
        for name in self._names[directory]:
            if name.startswith(beginning):
                with contextlib.suppress(OSError):  # it went just now
                    status = os.stat(f"{directory}/{name}", follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield f"{directory}/{name}", status

    def beside(self, path: str) -> Mapping[Inode, tuple[str, os.stat_result]]:
        """The regular files in the directory of `path`, and of what it links to."""
        found: dict[Inode, tuple[str, os.stat_result]] = {}
        for directory in dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)))):
            if directory not in self._beside:
                statuses = {(each[1].st_dev, each[1].st_ino): each for each in self.named(directory)}
                self._beside[directory] = statuses
            found = {**self._beside[directory], **found} if found else self._beside[directory]
        return found

    def generations(self, path: str, since: float) -> list[str]:
        """Files that look as if they had been `path` for a while and been rotated away after the time `since`.

        A fast writer can rotate several times between two looks. Such a file has the name with a number or the like
        behind it, and was written lately: what was rotated away long ago, before we came, stays out.
        """
        directory, stem = os.path.split(os.path.realpath(path))
        return [
            found
            for found, status in self.named(directory, stem)
            if _ROTATED.fullmatch(found, len(directory) + 1 + len(stem)) and status.st_mtime >= since - _SLACK
        ]
