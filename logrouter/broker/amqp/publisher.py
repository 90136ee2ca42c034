"""The publishing side of a session: one channel for ordered publishes, another for `apart` ones, both with confirms.

When RabbitMQ refuses something, it closes the channel with everything that is unconfirmed on it. If it refuses a single
message (406: too large, or with a property that it does not allow; 404: no such exchange), the session continues on a
new channel. Whether a queue holds the other unconfirmed messages is unknown, so they are refused as well, and their
publisher sends them again. A message that is known to be too large is not sent.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import aiormq

from logrouter.broker.amqp.connection import Connection
from logrouter.broker.amqp.errors import error_of, reason, translated
from logrouter.broker.amqp.properties import marked, write_properties
from logrouter.broker.lifetime import Lifetime, Promise, keep
from logrouter.broker.limits import check_message, too_large
from logrouter.errors import BrokerError, Forbidden, NotFound, PublishRefused, SessionLost, Unroutable
from logrouter.wire.message import MAX_BODY, Message

_T = TypeVar("_T")

_LIMIT = re.compile(r"max size (\d+)")
"""The size limit in RabbitMQ's error for a message that is too large."""

_USER = "user_id"
"""In RabbitMQ's error for a message whose user_id is not the user of the connection."""


class PublishingSession(Protocol):
    """What Publishing needs of its session."""

    def lose(self, reason: str) -> None:
        """End the session, for that reason."""

    def start(self, call: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run `call` in a task that ends with the session."""


@dataclass(frozen=True, slots=True)
class _PendingPublish:
    """An unconfirmed message. `channel` is None if it was published apart."""

    promise: Promise
    message_id: str
    exchange: str
    size: int
    channel: aiormq.Channel | None


class Publishing:
    """Publishes over `channel`, and over a replacement when the broker closes the channel because of a message.

    user: the user name of this connection, which messages carry and the broker verifies; '' to send none.
    """

    def __init__(
        self,
        host: PublishingSession,
        connection: Connection,
        channel: aiormq.Channel,
        lifetime: Lifetime,
        *,
        user: str = "",
    ) -> None:
        self._host = host
        self._connection = connection
        self._lifetime = lifetime
        self._size_limit = MAX_BODY
        self._user = user
        self._apart: aiormq.Channel | None = None
        self._apart_lock = asyncio.Lock()
        self._ids: set[str] = set()
        token = uuid.uuid4().hex
        self._unique = (f"{token}-{number}" for number in itertools.count())
        self._use(channel)

    def publish(self, exchange: str, message: Message, *, mandatory: bool, apart: bool) -> Promise:
        promise = self._lifetime.promise()
        if promise.done():
            return promise
        message_id = message.message_id
        if not message_id or message_id in self._ids:
            message_id = marked(message_id, next(self._unique))
        try:
            check_message(message, self._size_limit)
            properties = write_properties(message, message_id, self._channel.max_content_size, self._user)
        except PublishRefused as refused:
            keep(promise, refused)
            return promise
        self._ids.add(message_id)
        # Tasks start in the order of their creation, and each begins by queueing for the channel, so the order of calls
        # is the order on the wire. With wait=True the library would wait until the socket takes the bytes. While the
        # broker blocks us, our heartbeats would then wait too, and the connection would be lost two minutes later.
        publish = self._publish_apart if apart else self._channel.basic_publish
        sending = publish(
            message.body,
            exchange=exchange,
            routing_key=message.key,
            properties=properties,
            mandatory=mandatory,
            wait=False,
        )
        sent = _PendingPublish(promise, message_id, exchange, len(message.body), None if apart else self._channel)
        self._host.start(sending).add_done_callback(partial(self._answered, sent))
        return promise

    async def _publish_apart(self, body: bytes, **options: Any) -> None:
        """Publish over the channel for apart messages, and reopen it if the broker has closed it with a refusal.

        One message at a time, because RabbitMQ closes the connection if anything arrives on a channel that it has just
        closed.
        """
        async with self._apart_lock:
            if self._apart is None or self._apart.is_closed:
                self._apart = await self._open()
            await self._apart.basic_publish(body, **options)

    def _answered(self, sent: _PendingPublish, sending: asyncio.Task[Any]) -> None:
        self._ids.discard(sent.message_id)
        error = error_of(sending)
        if error is None:
            keep(sent.promise)
            return
        if isinstance(error, aiormq.ChannelInvalidStateError) and sent.channel is not None:
            error = error_of(sent.channel.closing) or error  # the channel was closed before; this is the reason
        refusal = self._refusal(error, sent)
        is_harmless = sent.channel is None and not isinstance(refusal, SessionLost)
        if is_harmless or isinstance(refusal, Forbidden | NotFound | PublishRefused | Unroutable):
            keep(sent.promise, refusal)
        else:
            self._host.lose(str(refusal))

    def _refusal(self, error: BaseException, sent: _PendingPublish) -> BrokerError:
        if not isinstance(error, aiormq.ChannelPreconditionFailed):
            return translated(error, f"write on {sent.exchange or 'amq.default'!r}")
        text = reason(error)
        limit = _LIMIT.search(text)
        if _USER in text:  # the broker knows this connection by another user name, so send none from now on
            self._user = ""
        if limit is None:
            return PublishRefused(text)
        self._size_limit = min(self._size_limit, int(limit[1]))
        if sent.size > self._size_limit:
            return too_large(sent.size, self._size_limit)
        return PublishRefused(f"the broker closed the channel because of another message ({text})")

    def _use(self, channel: aiormq.Channel) -> None:
        self._channel = channel
        channel.closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = error_of(closing)
        if isinstance(error, aiormq.ChannelPreconditionFailed | aiormq.ChannelNotFoundEntity):
            self._host.start(self._reopen())
        elif not isinstance(error, aiormq.ChannelAccessRefused):  # each publish fails with this itself
            self._host.lose(reason(error))

    async def _reopen(self) -> None:
        """Replace the channel. Until the new one is open, publishes are refused like the unconfirmed ones."""
        try:
            self._use(await self._open())
        except Exception as error:  # noqa: BLE001  # whatever the error, there is no session without a channel
            self._host.lose(reason(error))

    async def _open(self) -> aiormq.Channel:
        return await self._connection.open_channel(publisher_confirms=True, on_return_raises=True)
