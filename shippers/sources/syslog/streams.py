"""Serves stream connections: copies their messages to a spool.

Nothing more is read from a connection before what was read of it is synced in the spool. The number of connections, the
time without a byte on each, and the bytes of incomplete messages on all together are limited.
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
from shippers.spool.load_shedding import LoadShedding
from shippers.spool.spool import Spool

MAX_INCOMPLETE = 128 << 20
"""Bytes of incomplete messages, of all connections of an input together."""

_QUIET_SECONDS = 1.0
"""A client that has been quiet for less is not disconnected to make room for another."""

_ENDED = {
    "idle": "it sent nothing for `idle_timeout`",
    "unended": "all clients together hold too many bytes of incomplete messages",
}
_LOOK_SECONDS = 0.1
_PAUSE = 0.2
_LOG_EVERY = 60.0
_NO_TIMEOUT = 1e6


@dataclass(slots=True, eq=False)
class Clients:
    """The connections of one input, on all its addresses.

    most: connections at a time.   idle: seconds without a byte after which a client has to leave.
    unended: bytes of incomplete messages, all connections together.
    """

    most: int
    idle: float
    unended: int = 0
    connections: set[ClientConnection] = field(default_factory=set)
    _crowded: Condition = field(default_factory=lambda: Condition(CLIENTS_FULL, CLIENTS_ROOMY))

    def has_too_much(self, held: int) -> bool:
        """Report whether a connection that holds this many bytes of an incomplete message has to be closed.

        It has to if all connections together hold too much and it holds more than its share.
        """
        return self.unended > MAX_INCOMPLETE and held > MAX_INCOMPLETE // self.most

    async def room(self) -> None:
        """Wait until there is room for another connection. At the limit, the one that is quiet longest has to leave."""
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
    """The stream connections of one address.

    limit: bytes of a message.   ends: each of these bytes ends a message that has no count.   local: a unix socket.
    certificates: for TLS; None for plain connections.
    """

    address: str
    spool: Spool
    shedding: LoadShedding
    clients: Clients
    limit: int
    ends: bytes = b"\n"
    local: bool = False
    certificates: Certificates | None = None
    _failed: int = 0
    _log_at: float = 0.0

    async def take(self, opened: socket.socket) -> None:
        """Accept and serve connections until cancelled. opened: the listening socket."""
        failing = Condition(LISTEN_FAILED, LISTEN_BEGUN)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await readable(opened, _NO_TIMEOUT)
                await self.clients.room()
                try:
                    client, sender = accept(opened)
                except BlockingIOError:
                    continue
                except OSError as error:  # too many open files, for example; existing connections go on
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
            pass  # the connection was reset; what it sent before is kept
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
            if time.monotonic() >= self._log_at:  # anyone can cause any number of failures
                self._log_at = time.monotonic() + _LOG_EVERY
                reason = f"{connection.peer or 'this machine'}: {error or 'took too long'}"
                TLS_FAILED.happened(count=self._failed, address=self.address, reason=reason)
                self._failed = 0
            return False
        return True

    def _sealed(self, frames: Iterable[Frame], connection: ClientConnection) -> bytes:
        now = time.time()
        return b"".join(sealed(frame, now, connection.peer, local=self.local) for frame in frames)


def sealed(frame: Frame, now: float, peer: str, *, local: bool = False) -> bytes:
    """Return the line of a message for the spool. Count the message if it was truncated."""
    if frame.truncated:
        CUT.inc()
    return seal(frame.content, now, peer, frame.truncated, local=local)


def accept(opened: socket.socket) -> tuple[socket.socket, object]:
    """Accept a connection, non-blocking, and return it with its sender.

    TCP keepalive detects a peer that vanished after 4 minutes (120 s of silence, then 4 probes every 30 s).
    """
    client, sender = opened.accept()
    client.setblocking(False)
    if client.family != socket.AF_UNIX:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, name):  # not all systems have all of them
                client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return client, sender


def peer(sender: object) -> str:
    """Return the address that a message came from; '' for this machine."""
    if not isinstance(sender, tuple):
        return ""  # a unix socket
    host = str(sender[0]).removeprefix("::ffff:")
    return "" if host == "::1" or host.startswith("127.") else host
