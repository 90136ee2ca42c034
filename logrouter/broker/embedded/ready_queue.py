"""The messages of one queue that wait, and the consumers they are handed to. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from logrouter.broker.lifetime import Promise, keep
from logrouter.wire.message import Message


class Ticket:
    """A publish on its way to several queues: its promise is kept when each of them has settled it."""

    __slots__ = ("_left", "_promise")

    def __init__(self, promise: Promise, queues: int) -> None:
        self._promise = promise
        self._left = queues

    def settle(self) -> None:
        """One queue more holds it safely."""
        self._left -= 1
        if not self._left:
            keep(self._promise)

    def refuse(self, error: Exception) -> None:
        """One queue does not take it."""
        keep(self._promise, error)


@dataclass(slots=True, eq=False)
class ReadyMessage:
    """A message at its place in a queue: here in memory with its ticket, or in the store under `place` alone.

    size: bytes of its body.
    """

    place: int
    size: int
    message: Message | None = None
    ticket: Ticket | None = None
    redelivered: bool = False


class Taker(Protocol):
    """A consumer as the line sees it."""

    @property
    def lose(self) -> Callable[[str], None]:
        """Ends its session, for a reason."""

    @property
    def free(self) -> bool:
        """Whether its prefetch has room."""

    def take(self, entry: ReadyMessage) -> None:
        """Hand an entry over."""


class Line:
    """Entries in the order of their places. `single`: the oldest consumer gets all; otherwise they take turns."""

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._waiting: deque[ReadyMessage] = deque()
        self._takers: deque[Taker] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entry: ReadyMessage) -> None:
        """Put an entry at the end."""
        self._waiting.append(entry)
        self.hand_out()

    def give_back(self, entries: Iterable[ReadyMessage]) -> None:
        """Put entries back at their places."""
        back = list(entries)
        last = max((entry.place for entry in back), default=0)
        while self._waiting and self._waiting[0].place < last:
            back.append(self._waiting.popleft())
        self._waiting.extendleft(sorted(back, key=lambda entry: entry.place, reverse=True))
        self.hand_out()

    def clear(self) -> list[ReadyMessage]:
        """Take out all that wait."""
        cleared = list(self._waiting)
        self._waiting.clear()
        return cleared

    def join(self, taker: Taker) -> None:
        """Hand entries to this consumer as well."""
        self._takers.append(taker)
        self.hand_out()

    def leave(self, taker: Taker) -> None:
        """No longer."""
        if taker in self._takers:
            self._takers.remove(taker)

    def end(self, reason: str) -> None:
        """The queue is gone: so are the sessions that consume from it."""
        for taker in list(self._takers):
            taker.lose(reason)

    def hand_out(self) -> None:
        """Give what waits to whoever has room."""
        while self._waiting and (taker := self._next()):
            taker.take(self._waiting.popleft())

    def _next(self) -> Taker | None:
        if self._single:
            return self._takers[0] if self._takers and self._takers[0].free else None
        for _ in range(len(self._takers)):
            self._takers.rotate(-1)
            if self._takers[-1].free:
                return self._takers[-1]
        return None
