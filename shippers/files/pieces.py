"""Pieces of a file that make a window: whole lines and records, or one line that is too long. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from logrouter.wire.truncated import Truncated, Truncation
from shippers.parse.multiline import Joining, last_head

MAX_LINES = 4096
"""Lines in a window: a window full of very short ones would make a message of many MiB."""


HOLE = bytes(64)
"""So many NULs in a row are no text: a hole, or room that a writer has made in advance."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next `length` bytes of a file. data: these, or with `cut` the beginning of the one line that they are.

    hole: NULs in front of `data`, which a writer left out that went on at its old offset in a truncated file.
    """

    length: int
    data: bytes
    cut: Truncated | None = None
    hole: int = 0

    @property
    def lines(self) -> int:
        """How many they are; a last one may be without its newline."""
        return 1 if self.cut else self.data.count(b"\n") + (not self.data.endswith(b"\n"))


def piece_of(content: bytes, limit: int, joining: Joining | None, *, hold: bool, more: bool) -> Piece | None:
    """The first piece of whole lines; None if their only record is to be held.

    limit: bytes of a line at most, without its newline; a longer one is cut.
    hold: the last record may go on in lines that are still to come.
    more: there is more than this, so that the last record goes into the next piece if it is not the only one.
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
    """How many NULs it begins with."""
    return len(content) - len(content.lstrip(b"\0")) if content.startswith(b"\0") else 0


def _records(content: bytes, joining: Joining | None, *, hold: bool, more: bool) -> Piece | None:
    if joining is not None and (hold or more):
        last = last_head(content, joining)
        if last:
            content = content[:last]
        elif hold:
            return None
    return Piece(len(content), content)


@dataclass(slots=True)
class LongLine:
    """A line that is longer than what is read at a time, as far as it was seen. ended: its newline was."""

    ended: bool = False
    _whole: Truncation = field(default_factory=Truncation)

    @property
    def length(self) -> int:
        """Bytes that were seen, its newline among them."""
        return self._whole.length

    def add(self, content: bytes) -> None:
        """Take what stands next in the file, up to the newline."""
        end = content.find(b"\n") + 1
        seen = content[: end or len(content)]
        self._whole.add(seen)
        self.ended = bool(end)

    def kept(self, limit: int) -> int:
        """Bytes of it that go into a window."""
        return limit if self.length - self.ended > limit else self.length

    def piece(self, data: bytes) -> Piece:
        """The piece that it is, of which `data` is kept."""
        cut = self._whole.end() if len(data) < self.length else None
        return Piece(self.length, data, cut)
