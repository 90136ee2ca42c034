"""Sockets -> a spool of envelopes, one for each syslog message received.

An address that is taken or not permitted is said once and tried again. From a stream nothing further is read before
what was read of it is safe in the spool; datagrams are read while there is room, and what the kernel has to drop then
is counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from logrouter.observe.events import LISTEN_BEGUN, LISTEN_FAILED, UDP_DROPPED, Condition
from logrouter.observe.metrics import KERNEL_DROPS
from shippers.envelopes import seal
from shippers.inputs.shedding import Shedding
from shippers.inputs.sockets import kernel_drops, open_inet, open_unix
from shippers.parsing.framing import Frame, Frames
from shippers.spool import Spool
from shippers.windows import Address, Syslog

_DATAGRAM = 256 << 10
"""Bytes: larger than Linux lets any be by default."""

_BATCH = 512
"""Datagrams read in one turn of the loop."""

_CLIENTS = 1000
"""Connections at a time on one address; more wait to be accepted."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_DROPS_EVERY = 1.0


async def listen(settings: Syslog, spool: Spool) -> None:
    """Take messages until cancelled."""
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    shedding = Shedding(spool, settings.max_spool)
    async with asyncio.TaskGroup() as group:
        for address in settings.udp:
            take = partial(_datagrams, spool, shedding, settings.max_line, counted_as=f"udp {shown(address)}")
            group.create_task(_keep(f"udp {shown(address)}", partial(open_inet, datagram, address), take))
        for address in settings.tcp:
            take = partial(_streams, spool, shedding, settings.max_line, b"\n")
            group.create_task(_keep(f"tcp {shown(address)}", partial(open_inet, stream, address), take))
        for path in settings.unix:
            take = partial(_datagrams, spool, shedding, settings.max_line)
            group.create_task(_keep(path, partial(open_unix, datagram, path), take))
        for path in settings.unix_stream:
            take = partial(_streams, spool, shedding, settings.max_line, b"\n\0")
            group.create_task(_keep(path, partial(open_unix, stream, path), take))


def shown(address: Address) -> str:
    """host:port, or [host]:port."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _keep(
    address: str, open_socket: Callable[[], socket.socket], take: Callable[[socket.socket], Awaitable[None]]
) -> None:
    """Listen on one address, and again whenever that fails."""
    failing = Condition(LISTEN_FAILED, LISTEN_BEGUN)
    failing.holds = True  # so that the first success is said as well
    pause, was_said = _FIRST_PAUSE, False
    while True:
        try:
            with await asyncio.to_thread(open_socket) as opened:
                failing.end(address=address)
                pause, was_said = _FIRST_PAUSE, False
                await take(opened)
        except OSError as error:
            failing.holds = was_said
            failing.begin(address=address, reason=error.strerror or error)
            was_said = True
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads retries, no more
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _datagrams(spool: Spool, shedding: Shedding, limit: int, opened: socket.socket, counted_as: str = "") -> None:
    """Take datagrams; `counted_as` is the address whose drops the kernel counts."""
    dropped, due = 0, time.monotonic() + _DROPS_EVERY
    while True:
        await _readable(opened, _DROPS_EVERY)
        if messages := shedding.kept(_waiting(opened)):
            safe = spool.put(b"".join(_sealed_datagram(content, sender, limit) for content, sender in messages))
            if spool.is_full:
                await safe
        if counted_as and time.monotonic() >= due:
            due = time.monotonic() + _DROPS_EVERY
            now_dropped = await asyncio.to_thread(kernel_drops, opened)
            if now_dropped > dropped:
                KERNEL_DROPS.labels(counted_as).inc(now_dropped - dropped)
                UDP_DROPPED.happened(count=now_dropped - dropped, address=counted_as)
                dropped = now_dropped


def _waiting(opened: socket.socket) -> list[tuple[bytes, str]]:
    """The datagrams that are there now, each with its sender, so many at most."""
    messages = []
    for _ in range(_BATCH):
        try:
            content, sender = opened.recvfrom(_DATAGRAM)
        except BlockingIOError:
            break
        if content:
            messages.append((content, _peer(sender)))
    return messages


def _sealed_datagram(content: bytes, sender: str, limit: int) -> bytes:
    if len(content) > limit:
        return seal(content[:limit], time.time(), sender, len(content), hashlib.sha256(content).hexdigest())
    return seal(content, time.time(), sender)


async def _readable(opened: socket.socket, seconds: float) -> None:
    """Return when there is something to read, or after so many seconds."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(opened, ready.set)
    timer = loop.call_later(seconds, ready.set)
    try:
        await ready.wait()
    finally:
        timer.cancel()
        loop.remove_reader(opened)


async def _streams(spool: Spool, shedding: Shedding, limit: int, ends: bytes, opened: socket.socket) -> None:
    """Take connections."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(_CLIENTS)
    failing = Condition(LISTEN_FAILED, LISTEN_BEGUN)
    async with asyncio.TaskGroup() as clients:
        while True:
            await room.acquire()
            try:
                client, sender = await loop.sock_accept(opened)
            except OSError as error:  # too many open files, say: those that are connected go on
                room.release()
                failing.begin(address=opened.getsockname(), reason=error.strerror or error)
                await asyncio.sleep(_FIRST_PAUSE)
                continue
            failing.end(address=opened.getsockname())
            task = clients.create_task(_stream(spool, shedding, Frames(limit, ends), client, _peer(sender)))
            task.add_done_callback(lambda _: room.release())


async def _stream(spool: Spool, shedding: Shedding, frames: Frames, client: socket.socket, peer: str) -> None:
    loop = asyncio.get_running_loop()
    with client:
        try:
            while content := await loop.sock_recv(client, _DATAGRAM):
                whole = frames.feed(content)
                if whole:
                    await spool.put(_sealed(whole, peer))
                    await shedding.room()
        except OSError:
            pass  # a connection that was reset has ended: what came of it is kept
        finally:
            if rest := frames.end():
                spool.put(_sealed(rest, peer))


def _sealed(frames: Iterable[Frame], peer: str) -> bytes:
    now = time.time()
    return b"".join(seal(frame.content, now, peer, frame.length, frame.sha256) for frame in frames)


def _peer(sender: object) -> str:
    """Where a message came from; '' for this machine."""
    if not isinstance(sender, tuple):
        return ""  # a unix socket
    host = str(sender[0]).removeprefix("::ffff:")
    return "" if host == "::1" or host.startswith("127.") else host
