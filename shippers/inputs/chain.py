"""How far one incarnation of a file is: its windows, handed out one after the other and confirmed in that order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Lines of one input: read into windows, and confirmed of these."""

    lines_read: int = 0
    lines_confirmed: int = 0


@dataclass(frozen=True, slots=True)
class _Pending:
    """A window that was handed out: where it ends, the bytes just before that, and its lines."""

    to: int
    tail: bytes
    lines: int


class Chain:
    """Positions in bytes of the content.

    start: where the first window began.    position: where the next one begins.    tail: the bytes just before that.
    confirmed, confirmed_tail: the same of those that are safe.   lines: records between `start` and `confirmed`.
    rewinds: how often it went back.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._pending: deque[_Pending] = deque()
        self.rewinds = 0
        self.begin(0, 0, b"")

    def begin(self, start: int, confirmed: int, tail: bytes, lines: int = 0) -> None:
        """Go on where it was confirmed before."""
        self.start, self.lines = start, lines
        self.position = self.confirmed = confirmed
        self.tail = self.confirmed_tail = tail

    @property
    def pending(self) -> bool:
        """Whether windows were handed out and not confirmed."""
        return bool(self._pending)

    def hand_out(self, to: int, tail: bytes, lines: int) -> None:
        """The next window ends at `to`."""
        self.position, self.tail = to, tail
        self._pending.append(_Pending(to, tail, lines))
        self._tally.lines_read += lines

    def restate(self, to: int, tail: bytes, lines: int) -> None:
        """The newest window ends at `to` instead."""
        self._tally.lines_read -= self._pending.pop().lines
        self.hand_out(to, tail, lines)

    def confirm(self) -> None:
        """The oldest window is safe."""
        oldest = self._pending.popleft()
        self.confirmed, self.confirmed_tail = oldest.to, oldest.tail
        self.lines += oldest.lines
        self._tally.lines_confirmed += oldest.lines

    def rewind(self) -> None:
        """What is not confirmed is to be handed out again."""
        self._tally.lines_read -= sum(window.lines for window in self._pending)
        self._pending.clear()
        self.position, self.tail = self.confirmed, self.confirmed_tail
        self.rewinds += 1
