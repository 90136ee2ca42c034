"""The ready messages of one queue, and their distribution to consumers. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from logrouter.broker.lifetime import Promise, keep
from logrouter.wire.message import Message


class Ticket:
    """A publish to one or more queues. Its promise completes when every queue has settled it."""

    __slots__ = ("_left", "_promise")

    def __init__(self, promise: Promise, queues: int) -> None:
        self._promise = promise
        self._left = queues

    def settle(self) -> None:
        """Record that one more queue holds the message safely."""
        self._left -= 1
        if not self._left:
            keep(self._promise)

    def refuse(self, error: Exception) -> None:
        """Fail the publish, because a queue does not take the message."""
        keep(self._promise, error)


@dataclass(slots=True, eq=False)
class ReadyMessage:
    """A message at its place in a queue: in memory with its ticket, or only in the store, under `place`.

    size: the bytes of its body.
    """

    place: int
    size: int
    message: Message | None = None
    ticket: Ticket | None = None
    redelivered: bool = False


class LineConsumer(Protocol):
    """What Line needs of a consumer."""

    @property
    def lose(self) -> Callable[[str], None]:
        """A function that ends the consumer's session, for a reason."""

    @property
    def free(self) -> bool:
        """Whether the consumer can take another entry."""

    def take(self, entry: ReadyMessage) -> None:
        """Deliver an entry."""


class Line:
    """Entries in the order of their places. With `single` the oldest consumer gets all; otherwise they take turns."""

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._waiting: deque[ReadyMessage] = deque()
        self._takers: deque[LineConsumer] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entry: ReadyMessage) -> None:
        """Append an entry, and hand out what consumers can take."""
        self._waiting.append(entry)
        self.hand_out()

    def give_back(self, entries: Iterable[ReadyMessage]) -> None:
        """Return entries to their places, and hand out what consumers can take."""
        back = list(entries)
        last = max((entry.place for entry in back), default=0)
        while self._waiting and self._waiting[0].place < last:
            back.append(self._waiting.popleft())
        self._waiting.extendleft(sorted(back, key=lambda entry: entry.place, reverse=True))
        self.hand_out()

    def clear(self) -> list[ReadyMessage]:
        """Remove and return all entries."""
        cleared = list(self._waiting)
        self._waiting.clear()
        return cleared

    def join(self, taker: LineConsumer) -> None:
        """Add a consumer, as the youngest."""
        self._takers.append(taker)
        self.hand_out()

    def leave(self, taker: LineConsumer) -> None:
        """Remove a consumer, if it is there."""
        if taker in self._takers:
            self._takers.remove(taker)

    def end(self, reason: str) -> None:
        """End the sessions of all consumers, because the queue is gone."""
        for taker in list(self._takers):
            taker.lose(reason)

    def hand_out(self) -> None:
        """Give entries to consumers as long as one can take another."""
        while self._waiting and (taker := self._next()):
            taker.take(self._waiting.popleft())

    def _next(self) -> LineConsumer | None:
        if self._single:
            return self._takers[0] if self._takers and self._takers[0].free else None
        for _ in range(len(self._takers)):
            self._takers.rotate(-1)
            if self._takers[-1].free:
                return self._takers[-1]
        return None
