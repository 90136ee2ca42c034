"""The AMQP consumer, which receives and acknowledges deliveries over a channel of its own."""

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
    """What a consumer needs of its session."""

    @property
    def gone(self) -> asyncio.Future[str]:
        """A future that is done when the session has ended. Its result is the reason."""

    def lose(self, reason: str) -> None:
        """End the session, for that reason."""

    async def answer(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of `call`.

        Raises BrokerError if the broker refuses it, SessionLost if the session ends or the broker does not answer.
        """


class AmqpConsumer:
    """A consumer with a channel of its own, and so with its own prefetch and with tags from 1.

    settled: the queue is a TAIL queue, where the broker counts a delivery as acknowledged when it is sent.
    budget: the bytes of unacknowledged messages beyond which the consumer stops reading from `connection`, which it
    then has to itself; 0 for no limit. AMQP's prefetch counts messages, whatever their size.
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
        """Start to consume `queue`."""
        await self._channel.basic_qos(prefetch_count=prefetch)
        self._contents[self._channel.number] = self._content
        await self._channel.basic_consume(queue, self._missed, no_ack=self._settled)
        self._channel.on_consumer_cancel_callbacks.add(lambda _: self._session.lose(f"the queue {queue!r} is gone"))
        self._channel.closing.add_done_callback(self._channel_closed)
        self._session.gone.add_done_callback(self._session_gone)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self._inbox

    def drain(self) -> list[Delivery]:
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        if self._settled:
            return
        # Frames must not overtake each other: one that names an already acknowledged tag is a protocol error.
        async with self._acknowledging:
            if self._closed:
                raise SessionLost("this consumer was closed")
            await self._session.answer(self._send(self._frames(deliveries)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._session.gone.remove_done_callback(self._session_gone)
        self._inbox.end()
        self._connection.resume_reading()  # otherwise the broker's answers are not read
        with contextlib.suppress(SessionLost):  # then the broker has already requeued what was unacknowledged
            await self._session.answer(self._channel.close())
        if self._contents.get(self._channel.number) is self._content:  # the channel number may be in use again
            del self._contents[self._channel.number]
        if self._budget:
            with contextlib.suppress(SessionLost):
                await self._session.answer(self._connection.leave())

    def _frames(self, deliveries: Sequence[Delivery]) -> list[tuple[int, bool]]:
        """Return the fewest acknowledgements, as (tag, multiple).

        One covers the run that begins with the oldest unacknowledged delivery. Every other delivery has its own.
        """
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
        except Exception as error:  # noqa: BLE001  # a callback of the socket would drop it, and the broker would wait
            self._session.lose(f"cannot read a delivery: {error!r}")
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
        """End the session. The library never calls this, because FrameReader takes deliveries out of the stream."""
        self._session.lose(f"the AMQP library received a delivery itself: {delivered!r}")

    def _channel_closed(self, closing: asyncio.Future[Any]) -> None:
        if not self._closed:
            self._session.lose(reason(error_of(closing)))

    def _session_gone(self, gone: asyncio.Future[str]) -> None:
        self._inbox.end(gone.result())
