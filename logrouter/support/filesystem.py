"""The state directory: private to its owner, locked by one process, written so that a crash leaves old or new.

In come a directory and bytes to keep; out go a held lock and durable files.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from logrouter.errors import StateError
from logrouter.support.failpoint import reach


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    Raises StateError, naming the process that holds it, when it is taken.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            message = f"{path} is held by process {holder}; stop it, or give this one its own --state"
            raise StateError(message) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next process have it."""
        os.close(self._fd)


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock at `path`."""
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
    """Put `content` at `path`, mode 0600: after a crash there is the old content or the new, never a mixture."""
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
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
