"""Connections of clients, plain or by TLS: bytes are read when they are asked for, and not before.

In comes a socket that was accepted, out go the bytes that it brings. Who has to leave is told so, and what it sends
until it has understood is still read.
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
"""Bytes read at a time."""

_HANDSHAKE_SECONDS = 10.0
_LEAVE_SECONDS = 2.0
"""For a client that is told to leave, until it has stopped sending."""


class Certificates:
    """A server's certificate: files that are looked at again whenever they have changed. Raises ValueError at first."""

    def __init__(self, certificate: str, key: str, client_ca: str) -> None:
        self._paths = (certificate, key, client_ca)
        self._seen = self._look()
        self._context = server_context(*self._paths)
        self._failing = Condition(TLS_UNREAD, TLS_READ)

    def context(self) -> ssl.SSLContext:
        """For a handshake that begins now; files that do not go together are left for those that did."""
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
            with contextlib.suppress(OSError):  # one that is missing just now has changed
                status = Path(path).stat()
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return found


class ClientConnection:
    """One client. idle: seconds without a byte after which it is told to leave."""

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
        """Raises OSError (of which ssl.SSLError and TimeoutError are) where the client does not do its part."""
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            while True:
                try:
                    self._session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self._answer()
                    content = await self._receive()
                    if not content:
                        raise ConnectionResetError("ended in the handshake") from None
                    self._incoming.write(content)
                except ssl.SSLError:
                    self._say()  # which is why it is refused
                    raise
            await self._answer()

    async def receive(self) -> bytes:
        """What came, b"" at the end; raises OSError where the connection is lost."""
        if self._session is None:
            return await self._receive()
        while True:
            content, is_over = self._decrypted()
            if is_over:  # all that came before is safe by now, and this tells the client so
                self._say_goodbye()
            await self._answer()
            if content or is_over:
                return content
            received = await self._receive()
            if not received:
                return b""
            self._incoming.write(received)

    def leave(self, why: str) -> None:
        """Tell the client that nothing more is taken, and take what it sends before it hears of it."""
        if self.left:
            return
        self.left, self._left_at = why, time.monotonic()
        with contextlib.suppress(OSError):  # it has gone by itself
            self._say_goodbye()
            self._client.shutdown(socket.SHUT_WR)
        self._ready.set()

    async def _receive(self) -> bytes:
        """Bytes as they come over the wire; who has to leave is listened to until it is quiet."""
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
        """What has come whole of what was written, and whether that is all."""
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

    async def _answer(self) -> None:
        """Send what TLS has to say by itself; a client that does not take it is not waited for any longer than that."""
        if answer := self._outgoing.read():
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await asyncio.get_running_loop().sock_sendall(self._client, answer)

    def _say_goodbye(self) -> None:
        if self._session is not None:
            with contextlib.suppress(ssl.SSLError):  # it has not answered, as is to be expected
                self._session.unwrap()
            self._say()

    def _say(self) -> None:
        """The same for a last word, which may be lost."""
        with contextlib.suppress(OSError):
            self._client.send(self._outgoing.read())
