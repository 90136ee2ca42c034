"""Cuts the content of a file into pieces for windows: whole lines and records, or one line that is too long. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from logrouter.wire.truncated import Truncated, Truncation
from shippers.parse.multiline import Joining, last_record_start

MAX_LINES = 4096
"""The most lines in a window: a window full of very short ones would make a message of many MiB."""


HOLE = bytes(64)
"""This many NULs in a row are not text: they are a hole, or space that a writer has preallocated."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next `length` bytes of a file. data: these bytes, or with `cut` the beginning of the one line that they are.

    hole: NULs in front of `data`. A writer leaves them when its file is truncated and it continues at its old offset.
    """

    length: int
    data: bytes
    cut: Truncated | None = None
    hole: int = 0

    @property
    def lines(self) -> int:
        """The number of lines; the last may lack its newline."""
        return 1 if self.cut else self.data.count(b"\n") + (not self.data.endswith(b"\n"))


def piece_of(content: bytes, limit: int, joining: Joining | None, *, hold: bool, more: bool) -> Piece | None:
    """Return the first piece of whole lines, or None if their only record has to be held back.

    limit: bytes of a line at most, without its newline; a longer line is cut.
    hold: the last record may continue in lines that are still to come.
    more: more content follows, so the last record goes into the next piece unless it is the only one.
    """
    if len(content) <= limit and content.count(b"\n") <= MAX_LINES:
        return _records(content, joining, hold=hold, more=more)
    end = following = lines = 0
    while end < len(content) and lines < MAX_LINES:
        following = content.find(b"\n", end) + 1 or len(content)
        if len(content[end:following].removesuffix(b"\n")) > limit:
            break
        end = following
        lines += 1
    if end:
        return _records(content[:end], joining, hold=hold and end == len(content), more=True)
    return Piece(following, content[:limit], Truncated.of(content[:following]))


def nuls(content: bytes) -> int:
    """Return how many NULs `content` begins with."""
    return len(content) - len(content.lstrip(b"\0")) if content.startswith(b"\0") else 0


def _records(content: bytes, joining: Joining | None, *, hold: bool, more: bool) -> Piece | None:
    if joining is not None and (hold or more):
        last = last_record_start(content, joining)
        if last:
            content = content[:last]
        elif hold:
            return None
    return Piece(len(content), content)


@dataclass(slots=True)
class LongLine:
    """A line that is longer than one read, as far as it has been seen. ended: whether its newline was seen."""

    ended: bool = False
    _whole: Truncation = field(default_factory=Truncation)

    @property
    def length(self) -> int:
        """The number of bytes seen, including the newline."""
        return self._whole.length

    def add(self, content: bytes) -> None:
        """Add what comes next in the file, up to the newline."""
        end = content.find(b"\n") + 1
        seen = content[: end or len(content)]
        self._whole.add(seen)
        self.ended = bool(end)

    def kept(self, limit: int) -> int:
        """Return how many of its bytes go into a window."""
        return limit if self.length - self.ended > limit else self.length

    def piece(self, data: bytes) -> Piece:
        """Return its piece, of which `data` is kept."""
        cut = self._whole.end() if len(data) < self.length else None
        return Piece(self.length, data, cut)
