"""Which files there are to follow: globs -> the regular files that they match, each once however many names it has.

Reads directories only, never a file; runs in a thread, since a slow disk or a large tree must not hold up the lines.
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from shippers.input import Input
from shippers.inputs.tree import Inode, Tree, is_pattern
from shippers.spool import Segment

_ROTATED = re.compile(r"[.\-_](\d.*|old|bak|prev)", re.DOTALL)
_SLACK = 2.0
"""Seconds by which a file system's clock may differ from ours."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What leads to a file: an input, and one of its globs; or the spool that it is a segment of."""

    settings: Input
    glob: str
    segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file: all names under which it was met, and what met it first."""

    paths: list[str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was there at the time `began` (Unix time).

    unreadable: directories and files that could not be looked at, with the reason.   matched: globs that met a file.
    vacant: the places of single files (of globs without wildcards) where none is.   overlaps: files that a further
    input matches, by the names of the first and the further one.   wanted: where a change may lead to another
    discovery: directories, and patterns of the names in each that matter.
    """

    began: float
    files: dict[Inode, Found] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)
    vacant: dict[str, Origin] = field(default_factory=dict)
    overlaps: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    wanted: dict[str, set[str]] = field(default_factory=dict)


def discover(inputs: Sequence[Input], excluded: Sequence[str] = ()) -> Discovery:
    """The files that the inputs match now. `excluded` are directories whose files are never followed, by any path."""
    found = Discovery(time.time())
    tree = Tree(found.unreadable, [os.path.realpath(directory) for directory in excluded])
    for origin in (Origin(settings, glob) for settings in inputs for glob in settings.globs):
        for path in tree.expand(origin.glob):
            if is_excluded(path, origin.settings) or tree.is_ours(path):
                continue
            inode = tree.file(path)
            if inode is not None:
                file = found.files.setdefault(inode, Found([], origin))
                if path not in file.paths:
                    file.paths.append(path)
                if file.origin.settings != origin.settings:
                    found.overlaps.setdefault((file.origin.settings.name, origin.settings.name), []).append(path)
                found.matched.add(origin.glob)
            elif not is_pattern(origin.glob):
                found.vacant.setdefault(path, origin)
    found.wanted.update(tree.wanted)
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

    def beside(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        """The regular files in the directory of `path`, and of what it links to."""
        for directory in dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)))):
            yield from self.named(directory)

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
