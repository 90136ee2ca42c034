"""The connection to one host: aio-pika's, with its socket and its channels within reach."""

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
"""The library gives a silent broker up after 33 seconds of it, RabbitMQ a silent client after 20."""

_SIGN_SECONDS = 2.0
"""Between two signs of life while nothing is read."""

for _library in ("aio_pika", "aiormq"):  # they log a traceback for each lost connection; we say it in one event
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Connection(aio_pika.Connection, TransportFactory):
    """aio-pika's connection, which makes its own socket: to cut it when the broker reads no more, and to read it.

    Channels are those of the library below: aio-pika's leave callbacks behind on the connection when they close.

    is_left: whether we ended it ourselves.
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
        """Do nothing: whoever opened it ends it. The library's would begin that in whatever loop runs, or in none."""

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The streams of a new connection, which the library asks for."""
        assert url.host is not None  # the library has put in what was left out
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
        """A new channel."""
        channel = await self.underlying.channel(**options)
        assert isinstance(channel, aiormq.Channel)  # the library's only kind
        return channel

    async def leave(self) -> None:
        """End it with a farewell."""
        self.is_left = True
        self.resume_reading()
        await self.close()

    def pause_reading(self) -> None:
        """Take nothing more from the socket until `resume_reading`; the broker stops sending when its buffer is full.

        The library is told meanwhile that the broker lives, since it does not see its heartbeats.
        """
        if self._paused is None and self._writer is not None:
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can be read
            self._paused = asyncio.get_running_loop().call_later(_SIGN_SECONDS, self._stay_alive)

    def resume_reading(self) -> None:
        """Read on; no effect where it was not paused."""
        if self._paused is not None and self._writer is not None:
            self._paused.cancel()
            self._paused = None
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # likewise

    def _stay_alive(self) -> None:
        self.reader.sign_of_life()
        self._paused = asyncio.get_running_loop().call_later(_SIGN_SECONDS, self._stay_alive)

    def cut(self) -> None:
        """End it without a farewell, dropping what was not sent."""
        if self._paused is not None:
            self._paused.cancel()
        if self._writer is not None:
            self._writer.transport.abort()


async def open_connection(url: str) -> Connection:
    """Connect to one host. Raises whatever the library raises, and nothing of it holds the password."""
    connection = await aio_pika.connect(
        URL(url).update_query({"heartbeat": HEARTBEAT_SECONDS} if "heartbeat=" not in url else {}),
        connection_class=Connection,
        client_properties={"connection_name": f"logrouter {platform.node()} {os.getpid()}"},
    )
    assert connection.transport is not None  # it is connected
    connection.underlying = connection.transport.connection
    return connection
