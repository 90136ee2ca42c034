"""The queues of the embedded broker, one class for each behaviour that `QueueKind` defines."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from logrouter.broker.contract import Delivery, Queue
from logrouter.broker.embedded.consumers import EmbeddedConsumer, TailConsumer
from logrouter.broker.embedded.ready_queue import Line, ReadyMessage, Ticket
from logrouter.broker.embedded.store import Store
from logrouter.broker.prefetch import Inbox
from logrouter.errors import BrokerError, PublishRefused
from logrouter.observability.events import BROKER_STORE_FAILED
from logrouter.wire.message import Message

_MOVED_AT_ONCE = 500
"""The maximum number of delayed messages that move in one transaction, so that other transactions do not wait long."""

_RETRY_SECONDS = 1.0
"""The pause before a failed move of delayed messages is retried."""


class EmbeddedQueue(Protocol):
    """What a session needs of a queue, whatever its kind."""

    declared: Queue

    def put(self, message: Message, ticket: Ticket) -> None:
        """Take a message, and settle or refuse its ticket, now or later."""

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer | TailConsumer:
        """Return a new consumer, which calls `lose` with a reason if its session must end.

        Raises BrokerError if queues of this kind cannot be consumed.
        """

    def depth(self) -> int:
        """Return the number of messages that wait in the queue."""

    async def purge(self) -> int:
        """Discard the messages that wait in the queue and return their number."""

    def end(self, reason: str) -> None:
        """End the sessions that consume the queue, because the queue is gone."""


class IngressQueue:
    """An INGRESS queue, in memory. A crash loses nothing, because a publish is settled only when it is acknowledged."""

    def __init__(self, declared: Queue) -> None:
        self.declared = declared
        self._line = Line(single=True)
        self._last_place = 0

    def put(self, message: Message, ticket: Ticket) -> None:
        self._last_place += 1
        self._line.add(ReadyMessage(self._last_place, len(message.body), message, ticket))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        return EmbeddedConsumer(self._line, lose, _settle_tickets, _messages, prefetch=prefetch, budget=budget)

    def depth(self) -> int:
        return len(self._line)

    async def purge(self) -> int:
        """Discard the messages that wait. Their publishes are settled, because the loss is intended."""
        entries = self._line.clear()
        await _settle_tickets(entries)
        return len(entries)

    def end(self, reason: str) -> None:
        self._line.end(reason)


class StoredQueue:
    """A HANDOFF or DEAD queue, on disk, with only the messages' places in memory. Consumers take turns."""

    def __init__(self, declared: Queue, store: Store) -> None:
        self.declared = declared
        self._store = store
        self._line = Line(single=False)

    def put(self, message: Message, ticket: Ticket) -> None:
        size = len(message.body)
        add = partial(self._store.add, self.declared.name, message)
        _write(add, ticket, then=lambda place: self.arrived(place, size))

    def arrived(self, place: int, size: int, *, redelivered: bool = False) -> None:
        """Make a message of this queue that is on disk ready for delivery. `size` is that of its body, in bytes."""
        self._line.add(ReadyMessage(place, size, redelivered=redelivered))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        return EmbeddedConsumer(self._line, lose, self._settle, self._load, prefetch=prefetch, budget=budget)

    def depth(self) -> int:
        return len(self._line)

    async def purge(self) -> int:
        entries = self._line.clear()
        try:
            await self._settle(entries)
        except BrokerError:
            self._line.give_back(entries)
            raise
        return len(entries)

    def end(self, reason: str) -> None:
        self._line.end(reason)

    async def _settle(self, entries: list[ReadyMessage]) -> None:
        await self._store.remove([entry.place for entry in entries])

    async def _load(self, entries: list[ReadyMessage]) -> list[Message]:
        return await self._store.load([entry.place for entry in entries])


class DelayQueue:
    """A DELAY queue, on disk. Messages that are due move to the end of the target queue in one transaction.

    find: looks up a queue by name. If the target does not exist, due messages wait for the next `wake`.
    """

    def __init__(self, declared: Queue, store: Store, find: Callable[[str], object]) -> None:
        self.declared = declared
        self._store = store
        self._find = find
        self._waiting: deque[tuple[float, int, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._moving: asyncio.Task[None] | None = None
        self._ended = False

    def put(self, message: Message, ticket: Ticket) -> None:
        due, size = time.time() + self.declared.delay, len(message.body)
        add = partial(self._store.add, self.declared.name, message, due)
        _write(add, ticket, then=lambda place: self.arrived(due, place, size))

    def arrived(self, due: float, place: int, size: int) -> None:
        """Add a message that is on disk. `due` is in seconds since 1970, `size` that of its body in bytes."""
        self._waiting.append((due, place, size))
        self.wake()

    def wake(self) -> None:
        """Move the messages that are due, or set a timer for the oldest."""
        if self._ended or self._moving is not None or self._timer is not None or not self._waiting:
            return
        rest = self._waiting[0][0] - time.time()
        if rest > 0:  # at most the delay, even if the clock was set back meanwhile
            self._timer = asyncio.get_running_loop().call_later(min(rest, self.declared.delay), self._timer_fired)
        elif isinstance(target := self._find(self.declared.target), StoredQueue):
            self._moving = asyncio.create_task(self._move(target))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        raise BrokerError(f"{self.declared.name!r} is a delay queue: its messages go to {self.declared.target!r}")

    def depth(self) -> int:
        return len(self._waiting)

    async def purge(self) -> int:
        purged, self._waiting = self._waiting, deque()
        try:
            await self._store.remove([place for _, place, _ in purged])
        except BrokerError:
            self._waiting.extendleft(reversed(purged))
            raise
        return len(purged)

    def end(self, reason: str) -> None:
        """Stop the timer and any move. A DELAY queue has no consumers."""
        self._ended = True
        for waiting in (self._timer, self._moving):
            if waiting is not None:
                waiting.cancel()

    def _timer_fired(self) -> None:
        self._timer = None
        self.wake()

    async def _move(self, target: StoredQueue) -> None:
        now = time.time()
        due = list(itertools.takewhile(lambda each: each[0] <= now, itertools.islice(self._waiting, _MOVED_AT_ONCE)))
        for _ in due:
            self._waiting.popleft()
        try:
            places = await self._store.move([place for _, place, _ in due], target.declared.name)
        except BrokerError as error:
            BROKER_STORE_FAILED.happened(reason=error)
            self._waiting.extendleft(reversed(due))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            for place, (_, _, size) in zip(places, due, strict=True):
                if place:
                    target.arrived(place, size)
        self._moving = None
        self.wake()


class TailQueue:
    """A TAIL queue, in memory and bounded. It belongs to one session, and ends with the session or its consumer."""

    def __init__(self, declared: Queue, owner: object, gone: Callable[[], None]) -> None:
        self.declared = declared
        self.owner = owner
        self._gone = gone
        self._inbox = Inbox(bounded=True)
        self._tag = 0

    def put(self, message: Message, ticket: Ticket) -> None:
        self._tag += 1
        self._inbox.put(Delivery(message, self._tag, redelivered=False))
        ticket.settle()

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> TailConsumer:
        return TailConsumer(self._inbox, self._gone)

    def depth(self) -> int:
        return len(self._inbox)

    async def purge(self) -> int:
        return len(self._inbox.drain())

    def end(self, reason: str) -> None:
        self._inbox.end(reason)


def _write(add: Callable[[], asyncio.Future[int]], ticket: Ticket, then: Callable[[int], None]) -> None:
    """Write a message with `add`. When it is on disk, pass its place to `then` and settle its ticket."""

    def added(adding: asyncio.Future[int]) -> None:
        error = adding.exception()
        if error is None:
            then(adding.result())
            ticket.settle()
        else:
            ticket.refuse(PublishRefused(str(error)))

    try:
        add().add_done_callback(added)
    except PublishRefused as refused:
        ticket.refuse(refused)


async def _settle_tickets(entries: list[ReadyMessage]) -> None:
    for entry in entries:
        if entry.ticket is not None:
            entry.ticket.settle()


async def _messages(entries: list[ReadyMessage]) -> list[Message]:
    return [entry.message for entry in entries if entry.message is not None]
