"""Consumers of the embedded broker: what is in a consumer's hands, and the way to it and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from logrouter.broker.contract import Delivery
from logrouter.broker.embedded.ready_queue import Line, ReadyMessage
from logrouter.broker.prefetch import Inbox
from logrouter.errors import BrokerError, SessionLost
from logrouter.wire.message import Message

Settle = Callable[[list[ReadyMessage]], Awaitable[None]]
"""Drops entries for good. Raises BrokerError when that cannot be written."""

Load = Callable[[list[ReadyMessage]], Awaitable[list[Message]]]
"""The messages of entries that are not in memory. Raises BrokerError when they cannot be read."""


class EmbeddedConsumer:
    """Holds at most `prefetch` entries of `line`; `lose` ends its session. An ingress queue has nothing to load.

    budget: bytes of these beyond which it takes no more; 0 for no bound.
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
        """See the contract."""
        return self._inbox

    def drain(self) -> list[Delivery]:
        """See the contract."""
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the contract."""
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
        """See the contract."""
        if self._ended is None:
            self._inbox.end()
            self._end("this consumer was closed")

    def session_gone(self, reason: str) -> None:
        """End with the session."""
        if self._ended is None:
            self._inbox.end(reason)
            self._end(reason)

    @property
    def free(self) -> bool:
        """Whether there is room for one entry more."""
        is_within = not self._budget or self._bytes <= self._budget
        return is_within and len(self._held) + len(self._loading) < self._prefetch

    def take(self, entry: ReadyMessage) -> None:
        """Deliver an entry, after those taken before it."""
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
    """Reads the inbox that the TAIL queue puts everything into."""

    def __init__(self, inbox: Inbox, gone: Callable[[], None]) -> None:
        self._inbox = inbox
        self._gone = gone

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """See the contract."""
        return self._inbox

    def drain(self) -> list[Delivery]:
        """See the contract."""
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the contract: nothing to do."""

    async def close(self) -> None:
        """See the contract."""
        self._inbox.end()
        self._gone()

    def session_gone(self, reason: str) -> None:
        """End with the session."""
        self._inbox.end(reason)
