"""A connection to one host: aio-pika's, with access to its socket and to the channels of the library below."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from typing import Any

import aio_pika
import aiormq
from aiormq.abc import AbstractConnection
from aiormq.connection import TransportFactory
from yarl import URL

from logrouter.broker.amqp.delivery_frames import FrameReader

HEARTBEAT_SECONDS = 10
"""With this interval, the library gives up a silent broker after 33 s, and RabbitMQ a silent client after 20 s."""

_SIGN_SECONDS = 2.0
"""The interval between two simulated heartbeats while reading is paused."""

for _library in ("aio_pika", "aiormq"):  # they log a traceback for each lost connection; we log one event
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Connection(aio_pika.Connection, TransportFactory):
    """aio-pika's connection with a socket of its own making, which it can filter, pause and abort.

    Aborting is needed when the broker no longer reads. Channels are those of aiormq, the library below, because
    aio-pika's leave callbacks on the connection when they close.

    is_left: whether this side closed the connection.
    """

    underlying: AbstractConnection

    def __init__(self, url: URL, **options: Any) -> None:
        super().__init__(url, **options)
        self.kwargs["transport_factory"] = self
        self.reader = FrameReader()
        self._writer: asyncio.StreamWriter | None = None
        self._paused: asyncio.TimerHandle | None = None
        self.is_left = False

    def __del__(self) -> None:
        """Do nothing: whoever opened the connection closes it.

        The library's version would do so in whichever event loop runs, or in none.
        """

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the socket and return its streams. The library calls this."""
        assert url.host is not None  # the library has filled in the defaults
        assert url.port is not None
        provider = options.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self.reader)
        try:
            transport, _ = await loop.create_connection(lambda: protocol, url.host, url.port, ssl=context, **options)
        except OSError as error:
            raise aiormq.AMQPConnectionError(*error.args) from error
        self._writer = asyncio.StreamWriter(transport, protocol, self.reader, loop)
        return self.reader, self._writer

    async def open_channel(self, **options: Any) -> aiormq.Channel:
        channel = await self.underlying.channel(**options)
        assert isinstance(channel, aiormq.Channel)  # the only implementation in the library
        return channel

    async def leave(self) -> None:
        """Close the connection with the AMQP handshake."""
        self.is_left = True
        self.resume_reading()
        await self.close()

    def pause_reading(self) -> None:
        """Stop reading from the socket until `resume_reading`. The broker stops sending when the buffers are full.

        Meanwhile the library gets simulated heartbeats, because it cannot see those of the broker.
        """
        if self._paused is None and self._writer is not None:
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport supports reading
            self._paused = asyncio.get_running_loop().call_later(_SIGN_SECONDS, self._stay_alive)

    def resume_reading(self) -> None:
        """Resume reading, if it was paused."""
        if self._paused is not None and self._writer is not None:
            self._paused.cancel()
            self._paused = None
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # likewise

    def _stay_alive(self) -> None:
        self.reader.simulate_heartbeat()
        self._paused = asyncio.get_running_loop().call_later(_SIGN_SECONDS, self._stay_alive)

    def cut(self) -> None:
        """Abort the connection, and discard what was not sent."""
        if self._paused is not None:
            self._paused.cancel()
        if self._writer is not None:
            self._writer.transport.abort()


async def open_connection(url: str) -> Connection:
    """Connect to one host. Raises the library's exceptions, none of which contains the password."""
    connection = await aio_pika.connect(
        URL(url).update_query({"heartbeat": HEARTBEAT_SECONDS} if "heartbeat=" not in url else {}),
        connection_class=Connection,
        client_properties={"connection_name": f"logrouter {platform.node()} {os.getpid()}"},
    )
    assert connection.transport is not None  # it is connected now
    connection.underlying = connection.transport.connection
    return connection
