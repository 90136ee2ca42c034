"""Expands globs to the paths that they name, and lists each directory once in a scan.

It also records which names, in which directories, decide what the globs lead to, so that these can be watched.
"""

# Thousands of paths are looked at in a scan, as plain strings.
# ruff: noqa: PTH114, PTH116, PTH100

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

Inode = tuple[int, int]
"""Device and inode number, which identify a file while it exists."""

_MAGIC = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Report whether a glob, or a part of one, has wildcards."""
    return _MAGIC.search(text) is not None


class Tree:
    """The directories at one moment. unreadable: receives what could not be looked at, with the reason.

    excluded: real paths of directories that are not entered.
    """

    def __init__(self, unreadable: dict[str, str], excluded: list[str]) -> None:
        self._unreadable = unreadable
        self._excluded = tuple(f"{each}/" for each in excluded)
        self._entries: dict[str, dict[str, os.DirEntry[str]]] = {}
        self._closed: set[str] = set()
        self._real: dict[str, str] = {}
        self._wanted: dict[str, set[str]] = {}

    @property
    def wanted(self) -> dict[str, set[str]]:
        """The directories that were looked into, and for each the patterns of the names that were looked for.

        Directories on the way are included, whether they exist or not, because a change of one of these names makes a
        glob lead elsewhere. A directory that cannot be listed is left out: its parent shows a change of its rights.
        """
        return {directory or "/": names for directory, names in self._wanted.items() if directory not in self._closed}

    def expand(self, glob: str) -> Iterator[str]:
        """Yield the paths that a glob names, some of which may not exist."""
        parts = os.path.abspath(glob).split("/")[1:]
        repeated = (part == before == "**" for before, part in pairwise(["", *parts]))
        return self._expand("", [part for part, is_repeated in zip(parts, repeated, strict=True) if not is_repeated])

    def _expand(self, directory: str, parts: list[str]) -> Iterator[str]:
        if not parts:
            yield directory
        elif parts[0] == "**":
            yield from self._descend(directory, parts[1:] or ["*"], set())
        elif is_pattern(parts[0]):
            matches = _matcher(parts[0])
            for name in self._list(directory, parts[0]):
                if matches(name) and (name[0] != "." or parts[0][0] == "."):
                    yield from self._expand(f"{directory}/{name}", parts[1:])
        else:
            self._want(directory, parts[0])
            yield from self._expand(f"{directory}/{parts[0]}", parts[1:])

    def _descend(self, directory: str, parts: list[str], seen: set[Inode]) -> Iterator[str]:
        """Expand `parts` in this directory and all below it, as `**` does; each once, so that a ring of links ends."""
        status = self._stat(directory)
        if status is None or not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        yield from self._expand(directory, parts)
        for name, entry in self._list(directory, "*").items():
            if name[0] != "." and not entry.is_file(follow_symlinks=False):
                yield from self._descend(f"{directory}/{name}", parts, seen)

    def file(self, path: str) -> os.stat_result | None:
        """Return the status of a regular file, or None for anything else."""
        status = self._stat(path)
        return status if status is not None and stat.S_ISREG(status.st_mode) else None

    def is_ours(self, real: str) -> bool:
        """Report whether a real path is in an excluded directory."""
        return f"{real}/".startswith(self._excluded)

    def real_path(self, path: str) -> str:
        """Return a path with its links resolved."""
        directory, _, name = path.rpartition("/")
        if self._is_link(directory, name):
            return self._real_path(path)
        real = self._real_path(directory)
        return path if real == directory else f"{real}/{name}"

    def _real_path(self, path: str) -> str:
        """Return a path with its links resolved, without a `/` at its end. Results are kept, for directories."""
        if path not in self._real:
            directory, _, name = path.rpartition("/")
            if not path:
                real = ""
            elif self._is_link(directory, name):
                real = os.path.realpath(path)
                target, _, name = real.rpartition("/")
                self._want(target, name)
            else:
                real = f"{self._real_path(directory)}/{name}"
            self._real[path] = real
        return self._real[path]

    def _is_link(self, directory: str, name: str) -> bool:
        entry = self._entries.get(directory, {}).get(name)
        return os.path.islink(f"{directory}/{name}") if entry is None else entry.is_symlink()

    def _want(self, directory: str, pattern: str) -> None:
        self._wanted.setdefault(directory, set()).add(pattern)

    def _list(self, directory: str, pattern: str) -> dict[str, os.DirEntry[str]]:
        """Return the entries of a directory by name, and note that names that match `pattern` are looked for in it."""
        self._want(directory, pattern)
        if directory not in self._entries:
            self._entries[directory] = {}
            try:
                if self.is_ours(self.real_path(directory)):
                    self._closed.add(directory)
                else:
                    with os.scandir(directory or "/") as entries:
                        self._entries[directory] = {entry.name: entry for entry in sorted(entries, key=_name)}
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError as error:
                self._closed.add(directory)
                self._unreadable[directory] = error.strerror or str(error)
        return self._entries[directory]

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.stat(path or "/")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unreadable[path] = error.strerror or str(error)
            return None


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(fnmatch.translate(pattern)).match


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
