"""The buffer between an engine that receives deliveries and the consumer that iterates over them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from logrouter.broker.contract import TAIL_BYTES, TAIL_MESSAGES, Delivery
from logrouter.errors import SessionLost


class Inbox(AsyncIterator[Delivery]):
    """A queue of deliveries that can end. A `bounded` one, for TAIL queues, drops its oldest beyond the TAIL limits."""

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._ended = False
        self._reason: str | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Add a delivery. After the end it is discarded, because the broker returns it to its queue."""
        if self._ended:
            return
        self._waiting.append(delivery)
        self._bytes += len(delivery.message.body)
        while self._bounded and (self._bytes > TAIL_BYTES or len(self._waiting) > TAIL_MESSAGES):
            self._take()
        self._arrived.set()

    def drain(self) -> list[Delivery]:
        """Return everything that is buffered, without waiting."""
        drained = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return drained

    def end(self, reason: str | None = None) -> None:
        """Discard what is buffered and end the iteration, with SessionLost if there is a reason."""
        if not self._ended:
            self._ended = True
            self._reason = reason
            self.drain()
            self._arrived.set()

    async def __anext__(self) -> Delivery:
        while not self._waiting:
            if self._reason is not None:
                raise SessionLost(self._reason)
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._take()

    def _take(self) -> Delivery:
        delivery = self._waiting.popleft()
        self._bytes -= len(delivery.message.body)
        return delivery
