"""One generation of a log: its identity, how far it is read, and how far it is confirmed.

It is the only owner of this state. Its file may be renamed, copied, compressed or replaced meanwhile: the generation
continues in whichever file holds its content.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import NamedTuple

from logrouter.observability.events import FILE_REWRITTEN, LINE_CUT
from logrouter.observability.metrics import UNREAD
from shippers.encode.lines import Window
from shippers.files.checkpoint import Checkpoint
from shippers.files.content import NotReady, Plain
from shippers.files.discovery import Origin, Stamp
from shippers.files.fingerprint import NONE, PREFIX, Mark, shown
from shippers.files.pieces import Piece
from shippers.files.reader import Reader
from shippers.files.rotation import live_path, log_beside
from shippers.files.tree import Inode
from shippers.sources.containers import container_of

TICK = 0.025
"""Seconds between two looks at a growing file: short enough to be immediate, long enough to gather lines in windows."""

QUIET = 1.0
"""Seconds without growth after which a file is no longer looked at each tick, but only by the scan loop."""

_LOOK_BACK = 1 << 20
"""Bytes before a position that are searched for the beginning of a line."""


@dataclass(slots=True)
class Tally:
    """The line counts of one input: lines read into windows, and how many of these are confirmed."""

    lines_read: int = 0
    lines_confirmed: int = 0


class _Pending(NamedTuple):
    """A window that was handed out: where it ends, the bytes before that, the mark of what was read, and its lines."""

    to: int
    tail: bytes
    mark: Mark
    lines: int


class Generation:
    """A generation that is read from an open file. `now` is always time.monotonic().

    source: '' until there is content.   saved: whether the source is in the saved state; nothing is read before it is.
    path, origin: where the file is, and what led there.   real: the path with links resolved; '' if equal.
    live: the path of the live file of its log.   matched: whether a glob still leads to the file.
    left_at: when the file was renamed, or when the last glob ceased to match it; None for neither.
    grown_at: when the file was last seen to grow.   due: when to read next.   failing: whether the last look failed.
    rewritten_at: when the file was found to hold something else, Unix time.   ended: whether the content is gone.
    start: where the first window began.   confirmed: up to where all is confirmed.   lines: records between the two.
    previous, reached: the source of the generation before it, and up to where that was read when this one began; ''
    for none.
    rewinds: how often it went back to `confirmed`.
    """

    def __init__(self, reader: Reader, path: str, origin: Origin, now: float, tally: Tally) -> None:
        joining = origin.settings.joining
        self.reader = reader
        self.path = path
        self.real = _real(reader.fd, path)
        self.origin = origin
        self.live = live_path(path)
        self.segment = origin.segment
        self.container = container_of(path, joining.wrapping) if joining and joining.wrapping else None
        self.source = ""
        self.since = time.time()
        self.saved = self.failing = self.ended = False
        self.matched = True
        self.left_at: float | None = None
        self.rewritten_at: float | None = None
        self.grown_at = self.due = now
        self.start = self.confirmed = self.lines = self.rewinds = 0
        self.previous, self.reached = "", 0
        self._tally = tally
        self._tail, self._mark = b"", NONE
        self._pending: list[_Pending] = []  # a deque would take as much memory as all else of a resting generation
        self._checkpoint: Checkpoint | None = None

    def __repr__(self) -> str:
        return f"<{self.source or 'empty'} {self.path} {self.confirmed}>"

    def resume(self, saved: Checkpoint) -> None:
        """Continue as the generation that the file was recognised as. Raises Rewritten, OSError."""
        self.source, self.since, self.saved = saved.source, saved.since, True
        self.start, self.confirmed, self.lines = saved.start, saved.confirmed, saved.lines
        self.previous, self.reached = saved.previous, saved.reached
        self._mark = saved.tail
        self.reader.prefix = saved.prefix
        is_late = not self._is_plain  # the content before the position is compared when it is decoded
        self.reader.go_to(saved.confirmed, proof=saved.tail if is_late else None)
        self._tail = self.reader.tail

    def begin_as_set(self) -> None:
        """Begin where `read_from` says: at the next line that begins there, else at the unended line before."""
        setting, reader = self.origin.settings.read_from, self.reader
        if setting == "start" or not self._is_plain:
            return  # compressed content is read whole, because its size is known only at its end
        offset = max(0, os.fstat(reader.fd).st_size - setting)
        reader.go_to(self._line_near(offset) if offset else 0)
        self.start = self.confirmed = reader.position
        self._tail, self._mark = reader.tail, reader.mark_read()

    def follow(self, previous: str, reached: int) -> None:
        """Set the generation before this one, which was read up to `reached`. Ignored once this one has begun."""
        if not (self.previous or self.has_begun):
            self.previous, self.reached = previous, reached

    @property
    def pending(self) -> bool:
        """Whether windows were handed out that are not confirmed."""
        return bool(self._pending)

    @property
    def _is_plain(self) -> bool:
        return isinstance(self.reader.content, Plain)

    @property
    def inode(self) -> Inode:
        return self.reader.inode

    @property
    def has_begun(self) -> bool:
        """Whether any of it was handed out."""
        return self.reader.position > self.start or self.confirmed > self.start or self.rewinds > 0

    @property
    def is_rewritten(self) -> bool:
        """Whether its file no longer holds it."""
        return self.ended or self.rewritten_at is not None

    def size_now(self) -> int:
        """Return the size of its content in bytes; of a compressed file, as far as is known."""
        return os.fstat(self.reader.fd).st_size if self._is_plain else self.reader.size

    def is_through(self, size: int) -> bool:
        """Report whether all up to `size` is confirmed, or cannot be read. A compressed file has to be read whole."""
        reader = self.reader
        if self.ended or self.failing:
            return not self._pending
        if self.rewritten_at is not None or reader.holds or not self._is_plain:
            return self.rewritten_at is None and reader.exhausted and not (reader.waits or self._pending)
        end = min(size, reader.size)
        return self.confirmed >= end or (reader.reached >= end and not self._pending)

    @property
    def settled(self) -> bool:
        """Whether everything seen so far has been read and confirmed."""
        return self.confirmed == self.reader.size and not self._pending

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint to save. It is the same object as before while nothing in it has changed."""
        last, reader = self._checkpoint, self.reader
        moves = (self.source, self.path, self.start, self.confirmed, reader.prefix, self.previous)
        if last is None or moves != (last.source, last.path, last.start, last.confirmed, last.prefix, last.previous):
            last = self._checkpoint = Checkpoint(
                self.source,
                self.path,
                *reader.inode,
                self.start,
                self.confirmed,
                self.origin.glob,
                reader.prefix,
                self._mark,
                lines=self.lines,
                since=self.since,
                real=self.real,
                log=log_beside(self.path, self.live),
                previous=self.previous,
                reached=self.reached,
            )
        return last

    def rested(self, stamp: Stamp, *, done: bool) -> Checkpoint:
        """Return the checkpoint to keep when the file is closed. stamp: of the file."""
        return replace(self.checkpoint, size=stamp[0], changed=stamp[1], done=done)

    def identity_saved(self) -> None:
        """Note that the source is in the saved state, so that the generation can be read."""
        self.saved = True

    def seen_at(self, path: str, now: float) -> None:
        """Note that a glob leads to the file at `path`."""
        if path != self.path:
            self.path, self.left_at, self.real = path, now, _real(self.reader.fd, path)
        elif not self.matched:
            self.left_at = None
        self.matched = True

    def missed(self, now: float, path: str = "") -> None:
        """Note that no glob leads to the file any more. path: where the file is now, if that is known."""
        if self.matched:
            self.left_at, self.matched = now, False
        self.path = path or self.path

    def move(self, reader: Reader, path: str, now: float) -> None:
        """Continue in another file with the same content, such as a copy or the compressed file."""
        old = self.reader
        old.close()
        reader.prefix = old.prefix
        if isinstance(reader.content, Plain):
            reader.go_to(old.position, old.tail)
        else:
            reader.go_to(old.position, proof=old.mark_read())
        self.reader, self.path, self.real = reader, path, _real(reader.fd, path)
        self.failing, self.rewritten_at = False, None
        self.grown_at = self.due = now
        self._checkpoint = None

    def look(self, now: float) -> None:
        """Update the size. When content first appears, the generation gets its source. Raises Rewritten, OSError."""
        self.failing = False
        reader = self.reader
        if reader.look():
            self.grown_at = now
        if reader.shrunk:
            self._lose(reader.size, reader.size + reader.shrunk)
        if not self.source and reader.size and reader.has_text():
            self.source = token_hex(8)
            reader.prefix = reader.mark(PREFIX)

    def read(self, now: float, *, final: bool = False) -> Window | None:
        """Return the next window, or None if there is no whole line. Raises Rewritten, OSError.

        final: a last line without a newline counts as whole.
        """
        reader = self.reader
        try:
            self.look(now)
            final = final or (reader.content.ended and now - self.grown_at >= QUIET)
            joining = self.origin.settings.joining
            is_due = reader.holds and joining is not None and now - self.grown_at >= joining.flush
            piece = None
            if self.saved and (final or is_due or not reader.exhausted):
                piece = reader.read(final=final, due=is_due)
        except NotReady:
            self.due = now
            return None
        self.due = now + TICK if reader.exhausted or not self.saved else now
        return self._hand_out(piece) if piece is not None else None

    def failed(self, due: float) -> None:
        """Note that it cannot be read, and read no more of it before `due`."""
        self.failing, self.due = True, due

    def rest(self, due: float) -> None:
        """Read no more of it before `due`."""
        self.due = due

    def confirm(self, records: int) -> None:
        """Move past the oldest window handed out, which is confirmed and made this many records."""
        oldest = self._pending.pop(0)
        self.confirmed, self._tail, self._mark = oldest.to, oldest.tail, oldest.mark
        self.lines += records
        self._tally.lines_read += records - oldest.lines
        self._tally.lines_confirmed += records
        if self.segment is not None:
            self.segment.confirmed = self.confirmed

    def rewind(self, due: float) -> bool:
        """Go back to the confirmed position. What was handed out since is read again, from the time `due` on.

        Return False if that is impossible because the content is gone.
        """
        if self.ended and self._pending:
            self._lose(self.confirmed, self.reader.position)
        self._tally.lines_read -= sum(window.lines for window in self._pending)
        self._pending.clear()
        self.reader.go_to(self.confirmed, self._tail)
        self.rewinds += 1
        self.due = due
        return not self.ended

    def end(self) -> None:
        """Note that the content is gone. Whatever was not read is lost, and is reported and counted."""
        self.ended, self.rewritten_at = True, None
        self._lose(self.reader.position, max(self.reader.position, self.reader.size))

    def _lose(self, begin: int, end: int) -> None:
        """Report and count bytes that existed and can no longer be read."""
        FILE_REWRITTEN.happened(path=shown(self.path), position=begin, unread=end - begin)
        UNREAD.inc(end - begin)

    def _line_near(self, offset: int) -> int:
        look, content = offset - 1, self.reader.content
        while found := content.read(_LOOK_BACK, look):
            newline = found.find(b"\n")
            if newline >= 0:
                return look + newline + 1
            look += len(found)
        before = content.read(min(offset, _LOOK_BACK), max(0, offset - _LOOK_BACK))
        return offset - len(before) + before.rfind(b"\n") + 1

    def _hand_out(self, piece: Piece) -> Window:
        reader = self.reader
        to = reader.position
        from_ = to - piece.length
        after = (self.previous, self.reached) if self.previous and from_ == self.start else None
        if piece.cut:
            LINE_CUT.happened(path=shown(self.path), length=piece.length, position=from_, kept=len(piece.data))
        if reader.prefix.length < PREFIX:
            reader.prefix = reader.mark(PREFIX)
        read = reader.mark_read()
        mark = reader.prefix if read == reader.prefix else read  # a small file keeps one object for both
        self._pending.append(_Pending(to, reader.tail, mark, piece.lines))
        self._tally.lines_read += piece.lines
        return Window(self.source, self.start, from_, to, piece.data, piece.cut, self.container, piece.hole, after)


def _real(fd: int, path: str) -> str:
    """Return the resolved path of an open file, or '' if it equals the path at which the file was found."""
    real = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115  # paths are plain strings here
    return "" if real == path else real
