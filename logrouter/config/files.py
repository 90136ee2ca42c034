"""Files of a configuration: read whole, if they are files at all and no larger than one can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 4 << 20
"""Bytes; far above any configuration or certificate."""

_OTHERS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_small(path: Path) -> bytes:
    """What a regular file holds. Raises OSError, for anything else and for a file of more than `MOST` bytes as well."""
    _check(os.stat(path))  # noqa: PTH116  # before it is opened: a device may be set off by that
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        _check(os.fstat(fd))
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise OSError(errno.EFBIG, f"it holds more than {MOST >> 20} MiB")
    return content


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is {_OTHERS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file")
