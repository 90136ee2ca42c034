"""Files as they are opened: a descriptor for each, or why there is none."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from shippers.files.tree import Inode

Opened = dict[Inode, int | OSError]


def open_file(path: str) -> int:
    """To be read, without waiting for whoever writes to what is no file. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def open_all(paths: Mapping[Inode, str]) -> Opened:
    """All of these, each under the inode that it was met with."""
    opened: Opened = {}
    for inode, path in paths.items():
        try:
            opened[inode] = open_file(path)
        except OSError as error:
            opened[inode] = error
    return opened


def close_all(opened: Iterable[int | OSError]) -> None:
    """Let go of all."""
    for fd in opened:
        if isinstance(fd, int):
            os.close(fd)


def is_shortage(error: OSError) -> bool:
    """Whether there is no descriptor left: nothing is wrong with the file."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
