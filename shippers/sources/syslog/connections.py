"""Connections of clients, plain or over TLS. Bytes are read only when they are asked for.

A client that has to leave is notified (TLS close_notify, TCP FIN). What it sends until it has noticed is still read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

from logrouter.config.certificates import server_context
from logrouter.observability.conditions import Condition
from logrouter.observability.events import TLS_READ, TLS_UNREAD
from shippers.sources.syslog.sockets import readable

READ = 64 << 10
"""Bytes per read."""

_HANDSHAKE_SECONDS = 10.0
_LEAVE_SECONDS = 2.0
"""Seconds for which a client that has to leave must be quiet before its connection is closed."""


class Certificates:
    """The certificate of a server. Its files are read again when they have changed.

    Raises ValueError if the first read fails. A later failure is only logged.
    """

    def __init__(self, certificate: str, key: str, client_ca: str) -> None:
        self._paths = (certificate, key, client_ca)
        self._seen = self._look()
        self._context = server_context(*self._paths)
        self._failing = Condition(TLS_UNREAD, TLS_READ)

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake that begins now. If changed files are invalid, keep the one before."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._context = server_context(*self._paths)
            except (ValueError, OSError) as error:
                self._failing.begin(reason=str(error).replace("\n", "; "))
            else:
                self._failing.confirm_end(path=self._paths[0])  # each new certificate is logged
        return self._context

    def _look(self) -> list[tuple[int, int, int]]:
        found = []
        for path in filter(None, self._paths):
            with contextlib.suppress(OSError):  # a file that is missing makes the list differ, so it counts as changed
                status = Path(path).stat()
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return found


class ClientConnection:
    """One client. client: its socket, non-blocking.   idle: seconds without a byte after which it has to leave.

    quiet_since: when the last read began, by time.monotonic().   waits: whether the read waits for the client.
    left: why the client has to leave; '' while it may stay.
    """

    def __init__(self, client: socket.socket, peer: str, idle: float) -> None:
        self._client = client
        self._idle = idle
        self._ready = asyncio.Event()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session: ssl.SSLObject | None = None
        self.peer = peer
        self.quiet_since = time.monotonic()
        self.waits = False
        self.left = ""
        self._left_at = 0.0

    async def begin_tls(self, context: ssl.SSLContext) -> None:
        """Perform the handshake. Raises OSError (ssl.SSLError and TimeoutError included) if the client fails it."""
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            while True:
                try:
                    self._session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self._send_output()
                    content = await self._receive()
                    if not content:
                        raise ConnectionResetError("the connection ended during the handshake") from None
                    self._incoming.write(content)
                except ssl.SSLError:
                    self._send_last_output()  # the alert with the reason
                    raise
            await self._send_output()

    async def receive(self) -> bytes:
        """Return the next bytes, b"" at the end. Raises OSError if the connection is lost."""
        if self._session is None:
            return await self._receive()
        while True:
            content, is_over = self._decrypted()
            if is_over:  # all earlier bytes are synced by now, and the answer confirms that to the client
                self._close_tls()
            await self._send_output()
            if content or is_over:
                return content
            received = await self._receive()
            if not received:
                return b""
            self._incoming.write(received)

    def leave(self, why: str) -> None:
        """Notify the client that it has to leave. `receive` still returns what it sends until it has noticed.

        why: a label of `logrouter_ended_clients_total`.
        """
        if self.left:
            return
        self.left, self._left_at = why, time.monotonic()
        with contextlib.suppress(OSError):  # the client has closed the connection itself
            self._close_tls()
            self._client.shutdown(socket.SHUT_WR)
        self._ready.set()

    async def _receive(self) -> bytes:
        """Return bytes from the wire, b"" at the end. A client that has to leave is read until it is quiet."""
        self.quiet_since = time.monotonic()
        while True:
            try:
                return self._client.recv(READ)
            except BlockingIOError:
                pass
            since, limit = max(self.quiet_since, self._left_at), _LEAVE_SECONDS if self.left else self._idle
            if (left := since + limit - time.monotonic()) > 0:
                self._ready.clear()
                self.waits = True
                await readable(self._client, left, self._ready)
                self.waits = False
            elif self.left:
                return b""
            else:
                self.leave("idle")

    def _decrypted(self) -> tuple[bytes, bool]:
        """Return the bytes of complete TLS records, and whether the client has ended its stream."""
        assert self._session is not None
        pieces = []
        try:
            while piece := self._session.read(READ):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(pieces), False
        except ssl.SSLError:
            if not pieces:
                raise
        return b"".join(pieces), not pieces

    async def _send_output(self) -> None:
        """Send the output of TLS itself. Raises TimeoutError if the client does not accept it in 10 seconds."""
        if output := self._outgoing.read():
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await asyncio.get_running_loop().sock_sendall(self._client, output)

    def _close_tls(self) -> None:
        if self._session is not None:
            with contextlib.suppress(ssl.SSLError):  # the client has not answered yet, as expected
                self._session.unwrap()
            self._send_last_output()

    def _send_last_output(self) -> None:
        """Send the output of TLS itself without waiting. It may be lost."""
        with contextlib.suppress(OSError):
            self._client.send(self._outgoing.read())
