"""The consumers of the embedded broker: which messages each holds, and how it takes, settles and returns them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from logrouter.broker.contract import Delivery
from logrouter.broker.embedded.ready_queue import Line, ReadyMessage
from logrouter.broker.prefetch import Inbox
from logrouter.errors import BrokerError, SessionLost
from logrouter.wire.message import Message

Settle = Callable[[list[ReadyMessage]], Awaitable[None]]
"""Removes entries. Raises BrokerError if the disk does not take the change."""

Load = Callable[[list[ReadyMessage]], Awaitable[list[Message]]]
"""Reads the messages of entries that are not in memory. Raises BrokerError if that fails."""


class EmbeddedConsumer:
    """A consumer that holds at most `prefetch` entries of `line`. `lose` ends its session.

    budget: the bytes of held bodies beyond which it takes no more entries; 0 for no limit.
    """

    def __init__(
        self,
        line: Line,
        lose: Callable[[str], None],
        settle: Settle,
        load: Load,
        *,
        prefetch: int,
        budget: int,
    ) -> None:
        self.lose = lose
        self._line = line
        self._prefetch = prefetch
        self._budget = budget
        self._bytes = 0
        self._settle = settle
        self._load = load
        self._inbox = Inbox(bounded=False)
        self._held: dict[Delivery, ReadyMessage] = {}
        self._loading: list[ReadyMessage] = []
        self._loader: asyncio.Task[None] | None = None
        self._tag = 0
        self._ended: str | None = None
        line.join(self)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self._inbox

    def drain(self) -> list[Delivery]:
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        if self._ended is not None:
            raise SessionLost(self._ended)
        entries = [self._held.pop(each) for each in deliveries if each in self._held]
        self._bytes -= sum(entry.size for entry in entries)
        self._line.hand_out()
        try:
            await self._settle(entries)
        except BrokerError as error:
            self._give_back(entries)
            self.lose(str(error))
            raise SessionLost(str(error)) from error

    async def close(self) -> None:
        if self._ended is None:
            self._inbox.end()
            self._end("this consumer was closed")

    def session_gone(self, reason: str) -> None:
        """End the consumer, because its session has ended."""
        if self._ended is None:
            self._inbox.end(reason)
            self._end(reason)

    @property
    def free(self) -> bool:
        """Whether the consumer can take another entry."""
        is_within = not self._budget or self._bytes <= self._budget
        return is_within and len(self._held) + len(self._loading) < self._prefetch

    def take(self, entry: ReadyMessage) -> None:
        """Deliver an entry, after those taken before it. Loads its message first if that is not in memory."""
        self._bytes += entry.size
        if entry.message is not None:
            self._deliver(entry, entry.message)
            return
        self._loading.append(entry)
        if self._loader is None:
            self._loader = asyncio.create_task(self._deliver_loaded())

    async def _deliver_loaded(self) -> None:
        while self._loading:
            entries = list(self._loading)
            try:
                messages = await self._load(entries)
            except BrokerError as error:
                self.lose(str(error))
                return
            if self._ended is not None:
                return
            del self._loading[: len(entries)]
            for entry, message in zip(entries, messages, strict=True):
                self._deliver(entry, message)
        self._loader = None

    def _deliver(self, entry: ReadyMessage, message: Message) -> None:
        self._tag += 1
        delivery = Delivery(message, self._tag, entry.redelivered)
        self._held[delivery] = entry
        self._inbox.put(delivery)

    def _end(self, reason: str) -> None:
        self._ended = reason
        self._line.leave(self)
        self._give_back([*self._held.values(), *self._loading])
        self._held.clear()
        self._loading.clear()

    def _give_back(self, entries: list[ReadyMessage]) -> None:
        for entry in entries:
            entry.redelivered = True
        self._line.give_back(entries)


class TailConsumer:
    """A consumer of a TAIL queue. It reads the inbox that the queue puts every message into."""

    def __init__(self, inbox: Inbox, gone: Callable[[], None]) -> None:
        self._inbox = inbox
        self._gone = gone

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self._inbox

    def drain(self) -> list[Delivery]:
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Do nothing: deliveries of a TAIL queue count as acknowledged when they are sent."""

    async def close(self) -> None:
        self._inbox.end()
        self._gone()

    def session_gone(self, reason: str) -> None:
        """End the consumer, because its session has ended."""
        self._inbox.end(reason)
