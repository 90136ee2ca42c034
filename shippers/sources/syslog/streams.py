"""Connections -> a spool: nothing further is read from one before what was read of it is safe.

In comes a socket that listens, out go the messages of all who connect to it, within limits: connections at a time, time
without a byte, and bytes of messages that have not ended, all connections together.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from logrouter.observability.conditions import Condition
from logrouter.observability.events import (
    CLIENT_ENDED,
    CLIENTS_FULL,
    CLIENTS_ROOMY,
    LISTEN_BEGUN,
    LISTEN_FAILED,
    TLS_FAILED,
)
from logrouter.observability.metrics import CUT, ENDED_CLIENTS
from shippers.parse.framing import Frame, Frames
from shippers.sources.syslog.connections import Certificates, ClientConnection
from shippers.sources.syslog.sockets import readable
from shippers.spool.envelope import seal
from shippers.spool.load_shedding import Shedding
from shippers.spool.spool import Spool

UNENDED = 128 << 20
"""Bytes of messages that have not ended, of all connections of an input together."""

_QUIET_SECONDS = 1.0
"""Who has been quiet for less does not make room for another."""

_ENDED = {
    "idle": "nothing came for as long as `idle_timeout` says",
    "unended": "all clients together hold too much of messages that have not ended",
}
_LOOK_SECONDS = 0.1
_PAUSE = 0.2
_SAY_EVERY = 60.0
_FOR_EVER = 1e6


@dataclass(slots=True, eq=False)
class Clients:
    """The connections of one input, by whichever address. idle: seconds."""

    most: int
    idle: float
    unended: int = 0
    connections: set[ClientConnection] = field(default_factory=set)
    _crowded: Condition = field(default_factory=lambda: Condition(CLIENTS_FULL, CLIENTS_ROOMY))

    def has_too_much(self, held: int) -> bool:
        """Whether one that holds so much of a message that has not ended is to go, since all hold too much."""
        return self.unended > UNENDED and held > UNENDED // self.most

    async def room(self) -> None:
        """Return when there may be one more: at the limit, that which was quiet longest is told to leave."""
        while True:
            staying = [each for each in self.connections if not each.left]
            if len(staying) < self.most and len(self.connections) < 2 * self.most:
                if len(staying) < 0.9 * self.most:
                    self._crowded.end()
                return
            self._crowded.begin(count=len(staying))
            quiet = [each for each in staying if each.waits and each.quiet_since < time.monotonic() - _QUIET_SECONDS]
            if quiet and len(self.connections) < 2 * self.most:
                min(quiet, key=lambda each: each.quiet_since).leave("crowded")
            else:
                await asyncio.sleep(_LOOK_SECONDS)


@dataclass(slots=True, eq=False)
class Streams:
    """What listens on one address. limit: bytes of a message.   ends: the bytes that end one without a count."""

    address: str
    spool: Spool
    shedding: Shedding
    clients: Clients
    limit: int
    ends: bytes = b"\n"
    local: bool = False
    certificates: Certificates | None = None
    _failed: int = 0
    _say_at: float = 0.0

    async def take(self, opened: socket.socket) -> None:
        """Take connections until cancelled."""
        failing = Condition(LISTEN_FAILED, LISTEN_BEGUN)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await readable(opened, _FOR_EVER)
                await self.clients.room()
                try:
                    client, sender = accept(opened)
                except BlockingIOError:
                    continue
                except OSError as error:  # too many open files, say: those that are connected go on
                    failing.begin(address=self.address, reason=error.strerror or error)
                    await asyncio.sleep(_PAUSE)
                    continue
                failing.end(address=self.address)
                connection = ClientConnection(client, peer(sender), self.clients.idle)
                self.clients.connections.add(connection)
                tasks.create_task(self._serve(client, connection))

    async def _serve(self, client: socket.socket, connection: ClientConnection) -> None:
        try:
            with client:
                if self.certificates is None or await self._has_begun_tls(connection, self.certificates):
                    await self._copy(connection)
        finally:
            self.clients.connections.discard(connection)
            if connection.left:
                ENDED_CLIENTS.labels(connection.left).inc()
            if connection.left in _ENDED:
                CLIENT_ENDED.happened(peer=connection.peer or "this machine", reason=_ENDED[connection.left])

    async def _copy(self, connection: ClientConnection) -> None:
        frames, held = Frames(self.limit, self.ends), 0
        try:
            while content := await connection.receive():
                whole = frames.feed(content)
                self.clients.unended += frames.held - held
                held = frames.held
                if whole:
                    await self.spool.put(self._sealed(whole, connection))
                    await self.shedding.room()
                elif self.clients.has_too_much(held):
                    connection.left = "unended"
                    break
                else:
                    await asyncio.sleep(0)
        except OSError:
            pass  # a connection that was reset has ended: what came of it is kept
        finally:
            self.clients.unended -= held
            if rest := frames.end():
                self.spool.put(self._sealed(rest, connection))

    async def _has_begun_tls(self, connection: ClientConnection, certificates: Certificates) -> bool:
        try:
            await connection.begin_tls(certificates.context())
        except OSError as error:
            self._failed += 1
            ENDED_CLIENTS.labels("tls").inc()
            if time.monotonic() >= self._say_at:  # anyone can fail as often as they like
                self._say_at = time.monotonic() + _SAY_EVERY
                reason = f"{connection.peer or 'this machine'}: {error or 'took too long'}"
                TLS_FAILED.happened(count=self._failed, address=self.address, reason=reason)
                self._failed = 0
            return False
        return True

    def _sealed(self, frames: Iterable[Frame], connection: ClientConnection) -> bytes:
        now = time.time()
        return b"".join(sealed(frame, now, connection.peer, local=self.local) for frame in frames)


def sealed(frame: Frame, now: float, peer: str, *, local: bool = False) -> bytes:
    """The line of a message in a spool."""
    if frame.truncated:
        CUT.inc()
    return seal(frame.content, now, peer, frame.truncated, local=local)


def accept(opened: socket.socket) -> tuple[socket.socket, object]:
    """A connection that waits, ready and non-blocking; one whose other end is gone is noticed in some minutes."""
    client, sender = opened.accept()
    client.setblocking(False)
    if client.family != socket.AF_UNIX:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, name):  # not everywhere
                client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return client, sender


def peer(sender: object) -> str:
    """Where a message came from; '' for this machine."""
    if not isinstance(sender, tuple):
        return ""  # a unix socket
    host = str(sender[0]).removeprefix("::ffff:")
    return "" if host == "::1" or host.startswith("127.") else host
