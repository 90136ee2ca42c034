"""Which files there are to follow: globs -> the regular files that they match, each once however many names it has.

Reads directories only, never a file; runs in a thread, since a slow disk or a large tree must not hold up the lines.
"""

# Thousands of paths are looked at each second, as plain strings.
# ruff: noqa: PTH100, PTH114, PTH116, PTH119, PTH120, PTH208

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shippers.input import Input
from shippers.spool import Segment

Inode = tuple[int, int]
"""Device and inode: what one file is while it is there."""

_MAGIC = re.compile(r"[*?\[]")
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
    input matches, by the names of the first and the further one.
    """

    began: float
    files: dict[Inode, Found] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)
    vacant: dict[str, Origin] = field(default_factory=dict)
    overlaps: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def discover(inputs: Sequence[Input], excluded: Sequence[str] = ()) -> Discovery:
    """The files that the inputs match now. `excluded` are directories whose files are never followed, by any path."""
    found = Discovery(time.time())
    tree = _Tree(found.unreadable, [os.path.realpath(directory) for directory in excluded])
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
            elif not _MAGIC.search(origin.glob):
                found.vacant.setdefault(path, origin)
    return found


def is_excluded(path: str, settings: Input) -> bool:
    """Whether a pattern of the input keeps this file out: by its name, or by its path if the pattern has a `/`."""
    name = os.path.basename(path)
    return any(fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in settings.exclude)


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


class _Tree:
    """Directories, each listed once in a scan."""

    def __init__(self, unreadable: dict[str, str], excluded: list[str]) -> None:
        self._unreadable = unreadable
        self._excluded = excluded
        self._names: dict[str, list[str]] = {}
        self._real: dict[str, str] = {}

    def expand(self, glob: str) -> Iterator[str]:
        """The paths that a glob names, some of which may not be there."""
        return self._expand("", os.path.abspath(glob).split("/")[1:])

    def _expand(self, directory: str, parts: list[str]) -> Iterator[str]:
        if not parts:
            yield directory
        elif parts[0] == "**":
            yield from self._descend(directory, parts[1:] or ["*"], set())
        elif _MAGIC.search(parts[0]):
            for name in self._list(directory):
                if fnmatch.fnmatchcase(name, parts[0]) and (name[0] != "." or parts[0][0] == "."):
                    yield from self._expand(f"{directory}/{name}", parts[1:])
        else:
            yield from self._expand(f"{directory}/{parts[0]}", parts[1:])

    def _descend(self, directory: str, parts: list[str], seen: set[Inode]) -> Iterator[str]:
        """`**`: this directory and all below it, each once, so that links that form a ring come to an end."""
        status = self._stat(directory)
        if status is None or not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        yield from self._expand(directory, parts)
        for name in self._list(directory):
            if name[0] != ".":
                yield from self._descend(f"{directory}/{name}", parts, seen)

    def file(self, path: str) -> Inode | None:
        """The inode of a regular file; None for anything else."""
        status = self._stat(path)
        return (status.st_dev, status.st_ino) if status is not None and stat.S_ISREG(status.st_mode) else None

    def is_ours(self, path: str) -> bool:
        """Whether a path leads into a directory that is excluded."""
        directory, name = os.path.split(path)
        if os.path.islink(path):
            directory, name = os.path.split(os.path.realpath(path))
        if directory not in self._real:
            self._real[directory] = os.path.realpath(directory)
        real = f"{self._real[directory]}/{name}"
        return any(real == each or real.startswith(f"{each}/") for each in self._excluded)

    def _list(self, directory: str) -> list[str]:
        if directory not in self._names:
            try:
                self._names[directory] = [] if self.is_ours(directory) else sorted(os.listdir(directory or "/"))
            except (FileNotFoundError, NotADirectoryError):
                self._names[directory] = []
            except OSError as error:
                self._unreadable[directory] = error.strerror or str(error)
                self._names[directory] = []
        return self._names[directory]

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.stat(path or "/")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unreadable[path] = error.strerror or str(error)
            return None
