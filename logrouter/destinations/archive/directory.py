"""File operations that cannot leave the archive's base directory. Names are created and removed durably.

Paths are made from input that an attacker may have written. So besides the encoding of names, each component is opened
relative to the one above it, without following links (openat, O_NOFOLLOW).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath

from logrouter.support.failpoint import reach

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Directory:
    """An archive's base directory. Paths are relative to it. Methods raise OSError as the functions of `os` do."""

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.base = base.resolve()
        self._fd = os.open(self.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._fd)

    def open(self, path: str, flags: int) -> int:
        """Return a descriptor of the file. O_CREAT creates it with mode 0640, and the directories above it."""
        parent = self._parent(path, make=bool(flags & os.O_CREAT))
        try:
            return os.open(_name(path), flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=parent)
        finally:
            os.close(parent)

    def exists(self, path: str) -> bool:
        """Report whether anything has this path, a dangling link included."""
        try:
            parent = self._parent(path, make=False)
        except FileNotFoundError:
            return False
        try:
            os.stat(_name(path), dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        finally:
            os.close(parent)
        return True

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same directory, durably."""
        parent = self._parent(old, make=False)
        try:
            reach("archive.rename.before")
            os.rename(_name(old), _name(new), src_dir_fd=parent, dst_dir_fd=parent)
            reach("archive.rename.after")
            os.fsync(parent)
            reach("archive.rename.synced")
        finally:
            os.close(parent)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name in the same directory, durably."""
        parent = self._parent(old, make=False)
        try:
            reach("archive.link.before")
            os.link(_name(old), _name(new), src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
            reach("archive.link.after")
            os.fsync(parent)
            reach("archive.link.synced")
        finally:
            os.close(parent)

    def remove(self, path: str) -> None:
        """Remove a file, durably. Does nothing if it does not exist."""
        try:
            parent = self._parent(path, make=False)
        except FileNotFoundError:
            return
        try:
            reach("archive.remove.before")
            os.unlink(_name(path), dir_fd=parent)
            reach("archive.remove.after")
            os.fsync(parent)
            reach("archive.remove.synced")
        except FileNotFoundError:
            pass
        finally:
            os.close(parent)

    def sync(self, path: str) -> None:
        """Make the name of a file, and of every directory above it, durable."""
        parts = PurePosixPath(path).parts[:-1]
        for depth in range(len(parts) + 1):
            fd = self._descend(parts[:depth], make=False)
            try:
                reach("archive.directory.before")
                os.fsync(fd)
            finally:
                os.close(fd)

    def _parent(self, path: str, *, make: bool) -> int:
        return self._descend(PurePosixPath(path).parts[:-1], make=make)

    def _descend(self, parts: tuple[str, ...], *, make: bool) -> int:
        fd = os.dup(self._fd)
        for part in parts:
            above = fd
            try:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o750, dir_fd=above)
                fd = os.open(part, _DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
        return fd


def _name(path: str) -> str:
    return PurePosixPath(path).name
