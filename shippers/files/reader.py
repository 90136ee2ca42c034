"""Reads an open file from a position on, as pieces of whole lines.

Other programs append to the file, rename, truncate and delete it. The reader checks that the file still holds what was
read before it reads more, and whenever the file has changed without growing. NULs at the end are space that a writer
has preallocated, and not content yet. NULs in front of text are a hole, which is skipped and counted.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from shippers.files.content import Content, Plain, Rewritten, content_of
from shippers.files.fingerprint import TAIL, WHOLE, Mark, RunningMark
from shippers.files.pieces import HOLE, LongLine, Piece, nuls, piece_of
from shippers.files.tree import Inode
from shippers.input import Input

WINDOW = 256 << 10
"""Bytes read at a time, and so the most in a piece, except for a piece that is a single longer line."""

MAX_LINE = 8 << 20
"""Bytes kept of a line at most, whatever `max_line` says, because a record has to fit into a message."""

_SCAN = 1 << 20
"""Bytes of a line or hole without an end that are searched in one turn."""

_GRAIN = 10**8
"""Nanoseconds within which a file may change and keep its modification time, with a margin."""


def line_limit(settings: Input) -> int:
    """Return how many bytes are kept of a line of this input."""
    return min(settings.max_line, MAX_LINE)


def _all_of_it() -> int:
    return sys.maxsize


class _TextRun(NamedTuple):
    """The next text of a file. hole: NULs in front.   is_last: there is no more now.   is_ended: a hole follows."""

    content: bytes
    hole: int = 0
    is_last: bool = False
    is_ended: bool = False


class Reader:
    """A reader of one file, which owns `fd`.   path: for messages.   limit: returns where reading has to stop.

    is_ours: the file is a segment of a spool, which only grows.
    position: where the next piece begins.   tail: the bytes just before that.   prefix: the mark of its first bytes.
    size: where its content ended at the last look.   shrunk: how many bytes less that was than at the look before.
    holds: a last record waits for lines that may belong to it.   unlinked: the file had no name at the last look.
    """

    def __init__(
        self, fd: int, path: str, settings: Input, limit: Callable[[], int] = _all_of_it, *, is_ours: bool = False
    ) -> None:
        status = os.fstat(fd)
        self.fd = fd
        self.path = path
        self.inode: Inode = (status.st_dev, status.st_ino)
        self.content: Content = Plain(fd) if is_ours else content_of(fd, path)
        self.prefix = Mark()
        self.size = self.shrunk = 0
        self.unlinked = False
        self._settings = settings
        self._limit = limit
        self._is_ours = is_ours
        self._on_disk = 0
        self._stamp: tuple[int, ...] | None = None
        self._is_settled = False
        self._beginning = RunningMark()
        self.go_to(0, b"")

    def go_to(self, position: int, tail: bytes | None = None, proof: Mark | None = None) -> None:
        """Continue at `position`. Raises Rewritten, OSError.

        tail: the bytes before it, if they are known.   proof: the mark that they must have before anything is read.
        """
        self.position = position
        self._proof = proof
        self.tail = b"" if proof else self.before(position) if tail is None else tail
        self.holds = False
        self._long: LongLine | None = None
        self._searched_to = -1
        self._hole_searched = self._hole_end = self._long_hole = 0
        if self._beginning.length < position <= WHOLE and not proof:
            self._beginning = RunningMark(self.content.read(position, 0))

    def before(self, position: int) -> bytes:
        """Return the last TAIL bytes before a position, or fewer if there are fewer."""
        count = min(TAIL, position)
        return self.content.read(count, position - count)

    def mark(self, length: int) -> Mark:
        """Return the mark of the first `length` bytes, without preallocated space behind them."""
        content = self.content.read(min(length, self._limit()), 0)
        return Mark.of(content.rstrip(b"\0") or content)

    def has_text(self) -> bool:
        """Report whether there is more than preallocated space. A long hole in front is searched in several turns."""
        if self.position or self._is_ours or not isinstance(self.content, Plain):
            return True
        if self.content.read(len(HOLE), 0).strip(b"\0"):
            return True
        return self._end_of_hole(0) > 0

    def mark_read(self) -> Mark:
        """Return the mark of what was read: of all of it while that is little, else of the last bytes."""
        return self._beginning.mark if self.position == self._beginning.length else Mark.of(self.tail)

    @property
    def is_proven(self) -> bool:
        """Whether the file is known to hold what its position refers to."""
        return self._proof is None

    @property
    def reached(self) -> int:
        """The position up to which the file was read, or searched in vain for the end of a line."""
        return max(self.position, self._searched_to)

    @property
    def exhausted(self) -> bool:
        """Whether the last look found nothing more to read, except a last line without a newline."""
        return self.size in (self.position, self._searched_to)

    @property
    def waits(self) -> bool:
        """Whether something is left to read later: a held record, content to decode again, or its unended last line."""
        return self.holds or self.content.behind or (self.content.ended and self.position < self.size)

    def look(self) -> bool:
        """Update `size`, and check that the file still holds what was read. Return whether it has more than before.

        Raises Rewritten, OSError.
        """
        status = os.fstat(self.fd)
        stamp, before = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, self._limit()), self._stamp
        if stamp == before and self._is_settled and not self._is_text_behind():
            self.shrunk = 0
            return False
        self.unlinked = status.st_nlink == 0
        if not (self._on_disk or self._is_ours) and status.st_size:
            self.content = content_of(self.fd, self.path)  # the file may have been empty when it was opened
        is_plain = not self._is_ours and isinstance(self.content, Plain)
        self._is_settled = is_plain and time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _GRAIN
        size = min(self.content.size(status.st_size), self._limit())
        if size < self.position and self.is_proven:
            raise Rewritten(f"{self.path} has {size} bytes, and {self.position} were read")
        if is_plain and before is not None:
            self._check(is_longer=size > self._on_disk)
        has_more = size > self._on_disk or self.size < self._on_disk
        self.shrunk = max(0, self.size - size)
        self.size = self._on_disk = size
        self._stamp = stamp
        return has_more

    def read(self, *, final: bool, due: bool) -> Piece | None:
        """Return the next piece, or None if there is no whole line now. Raises NotReady, Rewritten, OSError.

        final: a last line without a newline counts as whole.   due: the last record has waited long enough.
        A call does a bounded amount of work, so that files can take turns.
        """
        self.holds = False
        if self._long is not None:
            return self._scan(self._long, final)
        if not (self.position or self._is_ours):
            self._check()
        text = self._text()
        if text is None:
            return None
        content = text.content
        end = content.rfind(b"\n") + 1
        if not (end or text.is_last or text.is_ended):
            self._long, self._long_hole = LongLine(), text.hole
            self._long.add(content.rstrip(b"\0"))
            return None
        if end or ((final or text.is_ended) and content):
            hold = text.is_last and not (final or due)
            whole = content[: end or len(content)]
            limit, joining = line_limit(self._settings), self._settings.joining
            piece = piece_of(whole, limit, joining, hold=hold, more=not text.is_last)
            if piece is not None:
                return self._taken(piece, text.hole)
            self.holds = True
        self._searched_to = self.size
        return None

    def close(self) -> None:
        os.close(self.fd)

    def _check(self, *, is_longer: bool = False) -> None:
        """Raise Rewritten unless the file holds what was read. If it only grew, the last bytes of that are enough."""
        tail, marks = self.tail, [] if is_longer and self.position else [self.prefix, self._beginning.mark]
        is_same = self.content.read(len(tail), self.position - len(tail)) == tail
        if not (is_same and all(each.ends_at(each.length, self.content) for each in marks)):
            raise Rewritten(f"{self.path} was written anew")

    def _is_text_behind(self) -> bool:
        """Report whether text has replaced the NULs at the end. A mapped file may change and keep its time."""
        return self.size < self._on_disk and self.content.read(1, self.size) != b"\0"

    def _bytes(self, count: int, offset: int) -> bytes:
        """Return the bytes at `offset`, within the limit. Raises NotReady."""
        return self.content.read(max(0, min(count, self._limit() - offset)), offset, at_once=False)

    def _take(self, count: int) -> bytes:
        """Return the next bytes. Raises Rewritten if those before them are not what they were."""
        if self._proof is not None:
            before = self._bytes(self._proof.length, self.position - self._proof.length)
            if Mark.of(before) != self._proof:
                raise Rewritten(f"{self.path} holds something else before {self.position}")
            self._proof, self.tail = None, before[-TAIL:]
        content = self._bytes(len(self.tail) + count, self.position - len(self.tail))
        if not content.startswith(self.tail):
            raise Rewritten(f"{self.path} was rewritten before {self.position}")
        return content[len(self.tail) :]

    def _text(self) -> _TextRun | None:
        """Return the text up to the next hole, or None while a hole or preallocated space continues."""
        content = self._take(WINDOW)
        if self._is_ours or 0 not in content or not isinstance(self.content, Plain):
            return _TextRun(content, is_last=len(content) < WINDOW)
        hole = 0
        if nuls(content) >= min(len(HOLE), len(content)):
            hole = self._end_of_hole(0)
            if not hole:
                return None
            content = self._bytes(WINDOW, self.position + hole)
        is_last = len(content) < WINDOW
        end = content.find(HOLE)
        if end < 0:
            text = content.rstrip(b"\0") if is_last else content
            if len(text) < len(content):
                self.size = self.position + hole + len(text)
            return _TextRun(text, hole, is_last)
        whole = content.rfind(b"\n", 0, end) + 1
        if whole:
            return _TextRun(content[:whole], hole)
        if self._end_of_hole(hole + end):
            return _TextRun(content[:end], hole, is_ended=True)
        return _TextRun(content[:end], hole, is_last=True) if self.size == self.position + hole + end else None

    def _end_of_hole(self, begin: int) -> int:
        """Return where text continues behind the NULs at `begin`, both relative to the position.

        0 if no text follows, or none within the bytes that are searched in one turn.
        """
        if self._hole_end > self.position + begin:
            return self._hole_end - self.position
        at = max(begin, self._hole_searched)
        try:
            at = max(at, os.lseek(self.fd, self.position + at, os.SEEK_DATA) - self.position)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no more data
                self._hole_searched, self.size = 0, self.position + begin
                return 0
        content = self._bytes(_SCAN, self.position + at)
        at += nuls(content)
        if nuls(content) < len(content):
            self._hole_searched, self._hole_end = 0, self.position + at
            return at
        self._hole_searched = at
        if len(content) < _SCAN:
            self._hole_searched, self.size = 0, self.position + begin
        return 0

    def _scan(self, line: LongLine, final: bool) -> Piece | None:
        """Search on for the end of a long line."""
        hole = self._long_hole
        content = self._bytes(_SCAN, self.position + hole + line.length)
        text = content.partition(HOLE)[0].rstrip(b"\0")
        line.add(text)
        if not line.ended and len(content) == _SCAN and text and HOLE not in content:
            return None
        is_at_hole = not line.ended and len(text) < len(content) and self._end_of_hole(hole + line.length) > 0
        if self._hole_searched:
            return None
        if not (line.ended or is_at_hole or final):
            self._searched_to = self.size
            return None
        self._long = None
        kept = line.kept(line_limit(self._settings))
        data = self._bytes(kept, self.position + hole) if hole else self._take(kept)
        if len(data) < kept:
            raise Rewritten(f"{self.path} was truncated after {self.position}")
        return self._taken(line.piece(data), hole)

    def _taken(self, piece: Piece, hole: int) -> Piece:
        """Move behind a piece and the hole in front of it."""
        to = self.position + hole + piece.length
        if piece.cut or hole:
            tail = self.before(to)
        else:
            tail = (self.tail + piece.data[-TAIL:])[-TAIL:]
            self._beginning.add(self.position, piece.data)
        self.go_to(to, tail)
        return replace(piece, length=piece.length + hole, hole=hole) if hole else piece
