"""Locks and durable files for a state directory, which is private to its owner.

A crash leaves either the old or the new content of a file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from logrouter.errors import StateError
from logrouter.support.failpoint import reach


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    Raises StateError, which names the holding process, if the lock is taken.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            message = f"{path} is held by process {holder}; stop that process, or start this one with another --state"
            raise StateError(message) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock."""
        os.close(self._fd)


def is_locked(path: Path) -> bool:
    """Report whether a process holds the lock at `path`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically and durably, with mode 0600.

    After a crash the file has either the old or the new content.
    """
    temporary = path.with_name(path.name + ".new")
    reach("state.write.before")
    with open(temporary, "wb", opener=_private) as file:
        file.write(content)
        file.flush()
        reach("state.sync.before")
        os.fsync(file.fileno())
    reach("state.rename.before")
    temporary.replace(path)
    reach("state.rename.after")
    sync_directory(path.parent)
    reach("state.saved")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def sync_directory(path: Path) -> None:
    """Sync a directory, which makes created, renamed and removed names in it durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
