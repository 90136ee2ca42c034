"""The kinds of queue of the embedded broker, each with what `QueueKind` promises of it."""

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

_AT_ONCE = 500
"""Delayed messages that move in one transaction, so that others need not wait long for theirs."""

_AGAIN_SECONDS = 1.0
"""After which a move that the disk did not take is tried again."""


class EmbeddedQueue(Protocol):
    """What a session does with a queue of any kind."""

    declared: Queue

    def put(self, message: Message, ticket: Ticket) -> None:
        """Take a message that was routed here, and settle or refuse its ticket then or later."""

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer | TailConsumer:
        """A new consumer; it calls `lose` with a reason where its session must end. Raises BrokerError if it cannot."""

    def depth(self) -> int:
        """Messages that wait."""

    async def purge(self) -> int:
        """Drop the messages that wait and say how many."""

    def end(self, reason: str) -> None:
        """The queue is gone, and with it the sessions that consume from it."""


class IngressQueue:
    """In memory: a publish is settled when its consumer has acknowledged it, so a lost process loses nothing."""

    def __init__(self, declared: Queue) -> None:
        self.declared = declared
        self._line = Line(single=True)
        self._last_place = 0

    def put(self, message: Message, ticket: Ticket) -> None:
        """See EmbeddedQueue."""
        self._last_place += 1
        self._line.add(ReadyMessage(self._last_place, len(message.body), message, ticket))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        """See EmbeddedQueue."""
        return EmbeddedConsumer(self._line, lose, _settle_tickets, _messages, prefetch=prefetch, budget=budget)

    def depth(self) -> int:
        """See EmbeddedQueue."""
        return len(self._line)

    async def purge(self) -> int:
        """See EmbeddedQueue. To its publisher a message that was dropped on purpose is as good as delivered."""
        entries = self._line.clear()
        await _settle_tickets(entries)
        return len(entries)

    def end(self, reason: str) -> None:
        """See EmbeddedQueue."""
        self._line.end(reason)


class StoredQueue:
    """HANDOFF and DEAD: on disk, with only the places in memory; consumers take turns."""

    def __init__(self, declared: Queue, store: Store) -> None:
        self.declared = declared
        self._store = store
        self._line = Line(single=False)

    def put(self, message: Message, ticket: Ticket) -> None:
        """See EmbeddedQueue."""
        size = len(message.body)
        add = partial(self._store.add, self.declared.name, message)
        _keep(add, ticket, then=lambda place: self.arrived(place, size))

    def arrived(self, place: int, size: int, *, redelivered: bool = False) -> None:
        """Take a message that is on disk for this queue; `size` is that of its body."""
        self._line.add(ReadyMessage(place, size, redelivered=redelivered))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        """See EmbeddedQueue."""
        return EmbeddedConsumer(self._line, lose, self._settle, self._load, prefetch=prefetch, budget=budget)

    def depth(self) -> int:
        """See EmbeddedQueue."""
        return len(self._line)

    async def purge(self) -> int:
        """See EmbeddedQueue."""
        entries = self._line.clear()
        try:
            await self._settle(entries)
        except BrokerError:
            self._line.give_back(entries)
            raise
        return len(entries)

    def end(self, reason: str) -> None:
        """See EmbeddedQueue."""
        self._line.end(reason)

    async def _settle(self, entries: list[ReadyMessage]) -> None:
        await self._store.remove([entry.place for entry in entries])

    async def _load(self, entries: list[ReadyMessage]) -> list[Message]:
        return await self._store.load([entry.place for entry in entries])


class DelayQueue:
    """On disk until each message is due, then moved to the end of the target in one transaction.

    `find` gives the target queue; where it is not there, the messages wait for `wake`.
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
        """See EmbeddedQueue."""
        due, size = time.time() + self.declared.delay, len(message.body)
        add = partial(self._store.add, self.declared.name, message, due)
        _keep(add, ticket, then=lambda place: self.arrived(due, place, size))

    def arrived(self, due: float, place: int, size: int) -> None:
        """Take a message that is on disk for this queue and is due at that time (seconds since 1970)."""
        self._waiting.append((due, place, size))
        self.wake()

    def wake(self) -> None:
        """Move what is due, or set the clock for the oldest."""
        if self._ended or self._moving is not None or self._timer is not None or not self._waiting:
            return
        rest = self._waiting[0][0] - time.time()
        if rest > 0:  # never more than the delay, even if the clock was set back meanwhile
            self._timer = asyncio.get_running_loop().call_later(min(rest, self.declared.delay), self._ring)
        elif isinstance(target := self._find(self.declared.target), StoredQueue):
            self._moving = asyncio.create_task(self._move(target))

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> EmbeddedConsumer:
        """See EmbeddedQueue."""
        raise BrokerError(f"{self.declared.name!r} is a delay queue: its messages go to {self.declared.target!r}")

    def depth(self) -> int:
        """See EmbeddedQueue."""
        return len(self._waiting)

    async def purge(self) -> int:
        """See EmbeddedQueue."""
        purged, self._waiting = self._waiting, deque()
        try:
            await self._store.remove([place for _, place, _ in purged])
        except BrokerError:
            self._waiting.extendleft(reversed(purged))
            raise
        return len(purged)

    def end(self, reason: str) -> None:
        """See EmbeddedQueue: nobody consumes from it, but its clock must stop."""
        self._ended = True
        for waiting in (self._timer, self._moving):
            if waiting is not None:
                waiting.cancel()

    def _ring(self) -> None:
        self._timer = None
        self.wake()

    async def _move(self, target: StoredQueue) -> None:
        now = time.time()
        due = list(itertools.takewhile(lambda each: each[0] <= now, itertools.islice(self._waiting, _AT_ONCE)))
        for _ in due:
            self._waiting.popleft()
        try:
            places = await self._store.move([place for _, place, _ in due], target.declared.name)
        except BrokerError as error:
            BROKER_STORE_FAILED.happened(reason=error)
            self._waiting.extendleft(reversed(due))
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            for place, (_, _, size) in zip(places, due, strict=True):
                if place:
                    target.arrived(place, size)
        self._moving = None
        self.wake()


class TailQueue:
    """In memory and bounded: it lets its oldest go. It belongs to one session, and ends with it or its consumer."""

    def __init__(self, declared: Queue, owner: object, gone: Callable[[], None]) -> None:
        self.declared = declared
        self.owner = owner
        self._gone = gone
        self._inbox = Inbox(bounded=True)
        self._tag = 0

    def put(self, message: Message, ticket: Ticket) -> None:
        """See EmbeddedQueue."""
        self._tag += 1
        self._inbox.put(Delivery(message, self._tag, redelivered=False))
        ticket.settle()

    def consume(self, prefetch: int, budget: int, lose: Callable[[str], None]) -> TailConsumer:
        """See EmbeddedQueue."""
        return TailConsumer(self._inbox, self._gone)

    def depth(self) -> int:
        """See EmbeddedQueue."""
        return len(self._inbox)

    async def purge(self) -> int:
        """See EmbeddedQueue."""
        return len(self._inbox.drain())

    def end(self, reason: str) -> None:
        """See EmbeddedQueue."""
        self._inbox.end(reason)


def _keep(add: Callable[[], asyncio.Future[int]], ticket: Ticket, then: Callable[[int], None]) -> None:
    """Put a message on disk; once it is there hand its place to `then` and settle its ticket."""

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
