"""A minimal binding to Linux's inotify: three calls into the C library, whose binary interface is fixed.

Calls raise OSError if the system has no inotify or has reached one of its limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

MODIFY, ATTRIB = 0x2, 0x4
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
"""IGNORED: the watch has ended. OVERFLOW: events were lost; this event belongs to no watch."""

ONLY_DIRECTORY, ONCE = 0x1000000, 0x80000000

_EVENT = struct.Struct("iIII")
_BYTES = 64 << 10
"""Bytes of events that are read at a time: about two thousand events."""

_LOCAL = {
    *(0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x2FC12FC1, 0xCA451A4E),  # ext, XFS, Btrfs, F2FS, ZFS, bcachefs
    *(0x01021994, 0x858458F6, 0x794C7630),  # tmpfs, ramfs, overlay
}
"""Types of file systems, as in statfs(2), on which nothing changes except through this kernel."""

_libc = ctypes.CDLL(None, use_errno=True)


class WatchEvent(NamedTuple):
    """An event of the watch `descriptor`. name: in the watched directory; '' for what is watched itself."""

    descriptor: int
    mask: int
    name: str


class Inotify:
    """An inotify instance. Raises OSError if the system cannot provide one."""

    def __init__(self) -> None:
        if not hasattr(_libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self.fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))

    def watch(self, path: str, mask: int) -> int:
        """Return a watch descriptor, which is the same for every path to an inode. Raises OSError."""
        return _checked(_libc.inotify_add_watch(self.fd, os.fsencode(path), ctypes.c_uint32(mask)))

    def forget(self, descriptor: int) -> None:
        """Remove a watch, which may have ended by itself."""
        _libc.inotify_rm_watch(self.fd, descriptor)

    def events(self) -> Iterator[WatchEvent]:
        """Yield the events that are available, or the first part of them, without waiting."""
        content = b""
        with contextlib.suppress(BlockingIOError):
            content = os.read(self.fd, _BYTES)
        begin = 0
        while begin < len(content):
            descriptor, mask, _, length = _EVENT.unpack_from(content, begin)
            begin += _EVENT.size + length
            yield WatchEvent(descriptor, mask, os.fsdecode(content[begin - length : begin].rstrip(b"\0")))

    def close(self) -> None:
        """End all watches."""
        os.close(self.fd)


def is_local(path: str) -> bool:
    """Report whether the kernel sees every change on the file system of `path`, unlike on a network file system."""
    status = (ctypes.c_long * 32)()  # larger than any struct statfs, whose first member is the type
    return _libc.statfs(os.fsencode(path), ctypes.byref(status)) == 0 and status[0] & 0xFFFFFFFF in _LOCAL


def is_remote(path: str) -> bool:
    """Report whether `path` exists and is on a file system that is not local."""
    return os.path.lexists(path) and not is_local(path)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
