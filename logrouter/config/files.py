"""Read the files of a configuration whole, if they are regular files of a plausible size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 4 << 20
"""Bytes; far more than any configuration or certificate has."""

_OTHERS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_small(path: Path) -> bytes:
    """Return the content of a regular file. Raises OSError for any other kind of file, and for more than MOST bytes."""
    _check(os.stat(path))  # noqa: PTH116  # before opening, because opening a device may trigger it
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        _check(os.fstat(fd))
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise OSError(errno.EFBIG, f"it is larger than {MOST >> 20} MiB")
    return content


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is {_OTHERS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file")
