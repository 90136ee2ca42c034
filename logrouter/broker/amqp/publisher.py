"""The publishes of a session: those in order over one channel, those apart over another, each with confirms.

RabbitMQ closes a channel on which it refuses something, with all that is under way on it. Where it refuses one message
(406: too large, or with a property that it does not allow; 404: to an exchange that is not there), the session goes on
over a new channel; of the others that were under way nobody knows whether a queue has them, so they are refused too,
which a publisher answers by sending them again. What is known to be too large is not sent.
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
"""In what RabbitMQ says of a message that is too large."""

_USER = "user_id"
"""Likewise of one that does not name its publisher."""


class PublishingSession(Protocol):
    """The session as its publishes see it."""

    def lose(self, reason: str) -> None:
        """End the session."""

    def start(self, call: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run something until the session ends."""


@dataclass(frozen=True, slots=True)
class _PendingPublish:
    """A message under way. channel: None for one that is apart."""

    promise: Promise
    message_id: str
    exchange: str
    size: int
    channel: aiormq.Channel | None


class Publishing:
    """Publishes over `channel`, and over the one that takes its place when the broker closes it on a message.

    user: the name of this connection's user, for the broker to vouch for; '' for none.
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
        self._most = MAX_BODY
        self._user = user
        self._apart: aiormq.Channel | None = None
        self._one_apart = asyncio.Lock()
        self._ids: set[str] = set()
        token = uuid.uuid4().hex
        self._unique = (f"{token}-{number}" for number in itertools.count())
        self._use(channel)

    def publish(self, exchange: str, message: Message, *, mandatory: bool, apart: bool) -> Promise:
        """See the contract."""
        promise = self._lifetime.promise()
        if promise.done():
            return promise
        message_id = message.message_id
        if not message_id or message_id in self._ids:
            message_id = marked(message_id, next(self._unique))
        try:
            check_message(message, self._most)
            properties = write_properties(message, message_id, self._channel.max_content_size, self._user)
        except PublishRefused as refused:
            keep(promise, refused)
            return promise
        self._ids.add(message_id)
        # Tasks begin in the order they are made, and the first thing that each does is to queue up for the channel:
        # so the order of calls is the order on the wire. With wait=True the library would wait for the socket to take
        # the bytes; while the broker blocks us our heartbeats then wait as well, and two minutes later it gives up.
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
        """Publish over the channel for that, which the broker closes each time that it refuses something.

        One at a time: RabbitMQ closes the connection on what comes for a channel that it has just closed.
        """
        async with self._one_apart:
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
            error = error_of(sent.channel.closing) or error  # it was closed before: this is why
        refusal = self._refusal(error, sent)
        is_harmless = sent.channel is None and not isinstance(refusal, SessionLost)
        if is_harmless or isinstance(refusal, Forbidden | NotFound | PublishRefused | Unroutable):
            keep(sent.promise, refusal)
        else:
            self._host.lose(str(refusal))

    def _refusal(self, error: BaseException, sent: _PendingPublish) -> BrokerError:
        if not isinstance(error, aiormq.ChannelPreconditionFailed):
            return translated(error, f"write on {sent.exchange or 'amq.default'!r}")
        said = reason(error)
        limit = _LIMIT.search(said)
        if _USER in said:  # it knows this connection by another name than its address has: go on without
            self._user = ""
        if limit is None:
            return PublishRefused(said)
        self._most = min(self._most, int(limit[1]))
        if sent.size > self._most:
            return too_large(sent.size, self._most)
        return PublishRefused(f"the broker closed the channel on another message ({said})")

    def _use(self, channel: aiormq.Channel) -> None:
        self._channel = channel
        channel.closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = error_of(closing)
        if isinstance(error, aiormq.ChannelPreconditionFailed | aiormq.ChannelNotFoundEntity):
            self._host.start(self._reopen())
        elif not isinstance(error, aiormq.ChannelAccessRefused):  # which each publish is told
            self._host.lose(reason(error))

    async def _reopen(self) -> None:
        """Go on over another channel. Until it is there, publishes are refused like those that were under way."""
        try:
            self._use(await self._open())
        except Exception as error:  # noqa: BLE001  # whatever it is, without a channel there is no session
            self._host.lose(reason(error))

    async def _open(self) -> aiormq.Channel:
        return await self._connection.open_channel(publisher_confirms=True, on_return_raises=True)
