"""Listens for syslog and puts each message, in an envelope, into a spool.

An address that is taken or not permitted is logged once and tried again. Nothing more is read from a stream before what
was read of it is synced in the spool. Datagrams are read unless too much waits for the disk. Those that the kernel
drops then are counted, and so are those that are discarded because the spool is nearly full.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial

from logrouter.observability.conditions import Condition
from logrouter.observability.events import LISTEN_BEGUN, LISTEN_FAILED, UDP_DROPPED
from logrouter.observability.metrics import KERNEL_DROPS
from logrouter.support.backoff import Backoff
from logrouter.wire.truncated import Truncated
from shippers.input import Address, Syslog
from shippers.parse.framing import Frame
from shippers.sources.syslog.connections import Certificates
from shippers.sources.syslog.sockets import kernel_drops, open_inet, open_unix, readable
from shippers.sources.syslog.streams import Clients, Streams, peer, sealed
from shippers.spool.load_shedding import LoadShedding
from shippers.spool.spool import Spool

_DATAGRAM = 256 << 10
"""Bytes per read of a datagram. Linux allows no larger ones by default."""

_BATCH = 512
"""Datagrams that are read in one turn of the event loop, at most."""

_BACKOFF = Backoff(0.2, 15.0)
_DROPS_EVERY = 1.0


async def listen(settings: Syslog, spool: Spool) -> None:
    """Receive messages until cancelled. Raises ValueError if the certificate cannot be used."""
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    shedding = LoadShedding(spool, settings.max_spool)
    clients = Clients(settings.max_clients, settings.idle_timeout)
    certificates = Certificates(settings.certificate, settings.key, settings.client_ca) if settings.tls else None
    served = partial(Streams, spool=spool, shedding=shedding, clients=clients, limit=settings.max_line)
    taken = partial(_datagrams, spool, shedding, settings.max_line)
    async with asyncio.TaskGroup() as group:
        for address in settings.udp:
            name = f"udp {shown(address)}"
            group.create_task(_keep(name, partial(open_inet, datagram, address), partial(taken, counted_as=name)))
        for kind, addresses, secured in (("tcp", settings.tcp, None), ("tls", settings.tls, certificates)):
            for address in addresses:
                name = f"{kind} {shown(address)}"
                take = served(name, certificates=secured).take
                group.create_task(_keep(name, partial(open_inet, stream, address), take))
        for path in settings.unix:
            group.create_task(_keep(path, partial(open_unix, datagram, path), partial(taken, local=True)))
        for path in settings.unix_stream:
            take = served(path, ends=b"\n\0", local=True).take
            group.create_task(_keep(path, partial(open_unix, stream, path), take))


def shown(address: Address) -> str:
    """Return `host:port`, or `[host]:port` for IPv6."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _keep(
    address: str, open_socket: Callable[[], socket.socket], take: Callable[[socket.socket], Awaitable[None]]
) -> None:
    """Listen on one address, with a retry after each failure."""
    failing = Condition(LISTEN_FAILED, LISTEN_BEGUN)
    failures = 0
    while True:
        try:
            with await asyncio.to_thread(open_socket) as opened:
                failing.confirm_end(address=address)
                failures = 0
                await take(opened)
        except OSError as error:
            failing.begin(address=address, reason=error.strerror or error)
        failures += 1
        await asyncio.sleep(_BACKOFF.pause(failures))


async def _datagrams(
    spool: Spool,
    shedding: LoadShedding,
    limit: int,
    opened: socket.socket,
    *,
    counted_as: str = "",
    local: bool = False,
) -> None:
    """Receive datagrams. counted_as: the address under which kernel drops are counted; '' if they are not."""
    dropped, due = 0, time.monotonic() + _DROPS_EVERY
    while True:
        await readable(opened, _DROPS_EVERY)
        if messages := shedding.kept(_waiting(opened)):
            now = time.time()
            frames = ((_frame(content, limit), sender) for content, sender in messages)
            safe = spool.put(b"".join(sealed(frame, now, sender, local=local) for frame, sender in frames))
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
    """Return up to 512 datagrams that are available now, each with its sender. Empty ones are ignored."""
    messages = []
    for _ in range(_BATCH):
        try:
            content, sender = opened.recvfrom(_DATAGRAM)
        except BlockingIOError:
            break
        if content:
            messages.append((content, peer(sender)))
    return messages


def _frame(content: bytes, limit: int) -> Frame:
    if len(content) <= limit:
        return Frame(content)
    return Frame(content[:limit], Truncated.of(content))
