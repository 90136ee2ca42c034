"""Opens many files at once: each has a descriptor afterwards, or the error that kept it from being opened."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from shippers.files.tree import Inode

Opened = dict[Inode, int | OSError]


def open_file(path: str) -> int:
    """Open a file for reading, without waiting for the writer of a FIFO, and return its descriptor. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def open_all(paths: Mapping[Inode, str]) -> Opened:
    """Open these files. Each result is under the inode that was discovered; the path may name another file by now."""
    opened: Opened = {}
    for inode, path in paths.items():
        try:
            opened[inode] = open_file(path)
        except OSError as error:
            opened[inode] = error
    return opened


def close_all(opened: Iterable[int | OSError]) -> None:
    """Close every descriptor among these; errors are skipped."""
    for fd in opened:
        if isinstance(fd, int):
            os.close(fd)


def is_shortage(error: OSError) -> bool:
    """Report whether there was no descriptor left, so that nothing is wrong with the file."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
