"""Split a stream of syslog messages by RFC 6587: octet counting, or a newline after each message. Pure.

The framing is detected for each message: digits, a space and `<` begin a counted one. The messages do not depend on how
the stream is split into reads. At most `limit` bytes of a message are buffered between reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from logrouter.wire.truncated import Truncated, Truncation

_COUNT = re.compile(rb"([1-9]\d{0,6}) <")
_PERHAPS_COUNT = re.compile(rb"[1-9]\d{0,6}(?: ?)\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """A message. truncated: describes the whole message if `content` is only its beginning."""

    content: bytes
    truncated: Truncated | None = None


@dataclass(slots=True)
class _LongMessage:
    """The beginning of a message that is longer than the limit, and the length and hash of the message so far."""

    content: bytes
    whole: Truncation = field(default_factory=Truncation)

    def frame(self) -> Frame:
        return Frame(self.content, self.whole.end())


class Frames:
    """The messages of one stream.

    limit: bytes of a message that are kept.   ends: the bytes each of which ends a message without a count.
    """

    def __init__(self, limit: int, ends: bytes = b"\n") -> None:
        self._limit = limit
        self._end = re.compile(b"[" + re.escape(ends) + b"]")
        self._held = bytearray()
        self._at = self._searched = 0
        self._long: _LongMessage | None = None
        self._missing = 0

    @property
    def held(self) -> int:
        """The number of buffered bytes of a message that has not ended."""
        return len(self._held) + (len(self._long.content) if self._long else 0)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the messages that `data` completes. Empty messages are left out."""
        frames: list[Frame] = []
        self._held += data
        while self._at < len(self._held) and (self._rest(frames) if self._long else self._next(frames)):
            pass
        del self._held[: self._at]  # once for each read: deleting after each message would take quadratic time
        self._searched -= self._at
        self._at = 0
        return frames

    def end(self) -> list[Frame]:
        """Return the rest at the end of the stream: it ends the last message."""
        frames = [self._long.frame()] if self._long else [Frame(bytes(self._held))] if self._held else []
        self._held, self._long = bytearray(), None
        return frames

    def _next(self, frames: list[Frame]) -> bool:
        """Take one message from the buffer. Return False if it needs more bytes."""
        count = _COUNT.match(self._held, self._at)
        if count is not None:
            return self._counted(frames, count.end() - 1, int(count[1]))
        if _PERHAPS_COUNT.match(self._held, self._at):
            return False
        found = self._end.search(self._held, self._searched)
        if found is None and len(self._held) - self._at <= self._limit:
            self._searched = len(self._held)
            return False
        if found is None or found.start() - self._at > self._limit:
            self._begin_long(self._at, 0)
            return True
        if found.start() > self._at:
            frames.append(Frame(bytes(self._held[self._at : found.start()])))
        self._take(found.end())
        return True

    def _counted(self, frames: list[Frame], begin: int, count: int) -> bool:
        if count > self._limit:
            if len(self._held) < begin + self._limit:
                return False
            self._begin_long(begin, count)
            return True
        if len(self._held) < begin + count:
            return False
        frames.append(Frame(bytes(self._held[begin : begin + count])))
        self._take(begin + count)
        return True

    def _begin_long(self, begin: int, count: int) -> None:
        """Start a long message at `begin`. count: its length, or 0 if a byte of `ends` ends it."""
        kept = bytes(self._held[begin : begin + self._limit])
        self._long = _LongMessage(kept)
        self._long.whole.add(kept)
        self._missing = count and count - self._limit
        self._take(begin + self._limit)

    def _rest(self, frames: list[Frame]) -> bool:
        """Take more of a long message. Return True if it has ended."""
        assert self._long is not None
        available = len(self._held) - self._at
        found = None if self._missing else self._end.search(self._held, self._at)
        taken = min(self._missing, available) if self._missing else found.start() - self._at if found else available
        self._long.whole.add(self._held[self._at : self._at + taken])
        ended = found is not None or taken == self._missing
        self._missing = max(0, self._missing - taken)
        self._take(found.end() if found else self._at + taken)
        if ended:
            frames.append(self._long.frame())
            self._long = None
        return ended

    def _take(self, end: int) -> None:
        self._at = self._searched = end
