"""A consumer: deliveries in, acknowledgements out, over a channel of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import aiormq
from aiormq.abc import DeliveredMessage

from logrouter.broker.amqp.connection import Connection
from logrouter.broker.amqp.delivery_frames import Delivered, DeliveryFrames
from logrouter.broker.amqp.errors import error_of, reason
from logrouter.broker.amqp.properties import read_message
from logrouter.broker.contract import Delivery
from logrouter.broker.prefetch import Inbox
from logrouter.errors import SessionLost

_T = TypeVar("_T")


_NONE: tuple[Delivery | None, int] = None, 0


class ConsumingSession(Protocol):
    """The session as its consumers see it."""

    @property
    def gone(self) -> asyncio.Future[str]:
        """Done when the session has ended; the result is why."""

    def lose(self, reason: str) -> None:
        """End the session."""

    async def answer(self, call: Coroutine[Any, Any, _T]) -> _T:
        """What the broker answers to `call`. Raises BrokerError if it refuses, SessionLost if it is lost or silent."""


class AmqpConsumer:
    """A consumer with a channel of its own, and so with its own prefetch and tags from 1.

    On a TAIL queue (`settled`) the broker counts a delivery as acknowledged when it is sent.

    With a `budget` it has `connection` for itself, and stops reading from it while it holds more bytes than that:
    AMQP's prefetch counts messages, whatever their size.
    """

    def __init__(
        self,
        session: ConsumingSession,
        connection: Connection,
        channel: aiormq.Channel,
        *,
        settled: bool,
        budget: int = 0,
    ) -> None:
        self._connection = connection
        self._budget = budget
        self._held = 0
        self._contents = connection.reader.contents
        self._content = DeliveryFrames(self._receive)
        self._inbox = Inbox(bounded=settled)
        self._session = session
        self._channel = channel
        self._settled = settled
        self._closed = False
        self._unsettled: dict[int, tuple[Delivery, int]] = {}
        self._acknowledging = asyncio.Lock()

    async def begin(self, queue: str, prefetch: int) -> None:
        """Start to receive."""
        await self._channel.basic_qos(prefetch_count=prefetch)
        self._contents[self._channel.number] = self._content
        await self._channel.basic_consume(queue, self._missed, no_ack=self._settled)
        self._channel.on_consumer_cancel_callbacks.add(lambda _: self._session.lose(f"the queue {queue!r} is gone"))
        self._channel.closing.add_done_callback(self._channel_closed)
        self._session.gone.add_done_callback(self._session_gone)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """See the contract."""
        return self._inbox

    def drain(self) -> list[Delivery]:
        """See the contract."""
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the contract."""
        if self._settled:
            return
        async with self._acknowledging:  # a frame that others overtake names tags that are settled: a protocol error
            if self._closed:
                raise SessionLost("this consumer was closed")
            await self._session.answer(self._send(self._frames(deliveries)))

    async def close(self) -> None:
        """See the contract."""
        if self._closed:
            return
        self._closed = True
        self._session.gone.remove_done_callback(self._session_gone)
        self._inbox.end()
        self._connection.resume_reading()  # or the broker's answers would not be read
        with contextlib.suppress(SessionLost):  # then the broker has taken back what was unacknowledged
            await self._session.answer(self._channel.close())
        if self._contents.get(self._channel.number) is self._content:  # the number may have been given again
            del self._contents[self._channel.number]
        if self._budget:
            with contextlib.suppress(SessionLost):
                await self._session.answer(self._connection.leave())

    def _frames(self, deliveries: Sequence[Delivery]) -> list[tuple[int, bool]]:
        """The fewest acknowledgements, as (tag, multiple): one for the run from the oldest on, one each for others."""
        tags = {each.tag for each in deliveries if self._unsettled.get(each.tag, _NONE)[0] is each}
        run = list(itertools.takewhile(tags.__contains__, self._unsettled))
        rest = sorted(tags.difference(run))
        self._held -= sum(self._unsettled.pop(tag)[1] for tag in tags)
        if self._budget and self._held <= self._budget:
            self._connection.resume_reading()
        return [(tag, True) for tag in run[-1:]] + [(tag, False) for tag in rest]

    async def _send(self, frames: list[tuple[int, bool]]) -> None:
        for tag, multiple in frames:
            await self._channel.basic_ack(tag, multiple=multiple, wait=False)

    def _receive(self, delivered: Delivered) -> None:
        try:
            message = read_message(delivered.key, delivered.properties, delivered.body)
        except Exception as error:  # noqa: BLE001  # in a callback of the socket it would be dropped, and the broker wait
            self._session.lose(f"a delivery cannot be read: {error!r}")
            return
        delivery = Delivery(message, delivered.tag, delivered.redelivered)
        if not self._settled:
            size = len(delivered.body) + len(delivered.properties)
            self._unsettled[delivery.tag] = delivery, size
            self._held += size
            if self._budget and self._held > self._budget:
                self._connection.pause_reading()
        self._inbox.put(delivery)

    async def _missed(self, delivered: DeliveredMessage) -> None:
        """What the library would give us: nothing, since it never sees a delivery."""
        self._session.lose(f"a delivery went another way: {delivered!r}")

    def _channel_closed(self, closing: asyncio.Future[Any]) -> None:
        if not self._closed:
            self._session.lose(reason(error_of(closing)))

    def _session_gone(self, gone: asyncio.Future[str]) -> None:
        self._inbox.end(gone.result())
