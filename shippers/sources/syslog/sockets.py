"""Opens the sockets for syslog, bound and non-blocking, and waits for them.

Opening raises OSError if an address or path is taken or not permitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from shippers.input import Address

_RECEIVE_BUFFER = 16 << 20
"""Bytes that the kernel buffers for a datagram socket: what arrives between two turns of a busy event loop."""

_SO_RCVBUFFORCE = 33
"""Linux: sets a buffer beyond rmem_max, for root only. Python has no name for it."""


def open_inet(kind: socket.SocketKind, address: Address) -> socket.socket:
    """Open a datagram or listening stream socket. An empty host means all addresses, IPv4 and IPv6."""
    host, port = address
    is_both = not host and socket.has_dualstack_ipv6()
    host = "::" if is_both else host
    family, _, _, _, sockaddr = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)[0]
    opened = socket.socket(family, kind)
    try:
        if is_both:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _ready(opened, sockaddr)
    except OSError:
        opened.close()
        raise


def open_unix(kind: socket.SocketKind, path: str) -> socket.socket:
    """Open a socket at `path` that every program may write to. A socket file without a listener is replaced.

    If the directory is missing, it is created with access for every program.
    """
    _make_directory(Path(path).parent)
    _remove_stale(kind, path)
    opened = socket.socket(socket.AF_UNIX, kind)
    try:
        ready = _ready(opened, path)
        Path(path).chmod(0o666)
    except OSError:
        opened.close()
        raise
    return ready


async def readable(opened: socket.socket, seconds: float, ended: asyncio.Event | None = None) -> None:
    """Wait until there is something to read, `seconds` have passed, or `ended` is set.

    Nothing is read here, so a wait that is cancelled cannot lose anything.
    """
    loop = asyncio.get_running_loop()
    ready = ended or asyncio.Event()
    loop.add_reader(opened, ready.set)
    timer = loop.call_later(seconds, ready.set)
    try:
        await ready.wait()
    finally:
        timer.cancel()
        loop.remove_reader(opened)


def kernel_drops(opened: socket.socket) -> int:
    """Return how many datagrams the kernel has dropped since a UDP socket was opened, because its buffer was full."""
    table = "/proc/net/udp6" if opened.family == socket.AF_INET6 else "/proc/net/udp"
    inode = str(os.fstat(opened.fileno()).st_ino)
    with contextlib.suppress(OSError):  # not Linux, or no /proc: the count stays 0
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            columns = line.split()
            if columns[9] == inode:
                return int(columns[-1])
    return 0


def _ready(opened: socket.socket, address: object) -> socket.socket:
    opened.bind(address)  # type: ignore[arg-type]  # from getaddrinfo, or a path
    if opened.type == socket.SOCK_STREAM:
        opened.listen(128)
    else:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # not root: as much as rmem_max allows
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    opened.setblocking(False)
    return opened


def _make_directory(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)  # whatever the umask


def _remove_stale(kind: socket.SocketKind, path: str) -> None:
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is not a socket exists there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "another process is listening there")
