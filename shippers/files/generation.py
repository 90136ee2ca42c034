"""One generation of a log: which it is, how far it is read, and how far that is confirmed.

It is the one owner of this state. Its file may be renamed, copied, compressed or replaced meanwhile: it goes on in
whichever file holds its content.
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
"""Seconds between two looks at a file that grows: short enough to be immediate, and it gathers lines to a window."""

QUIET = 1.0
"""Seconds after which a file that does not grow is looked at only by each scan."""

_LOOK_BACK = 1 << 20
"""Bytes before a position in which the beginning of a line is looked for."""


@dataclass(slots=True)
class Tally:
    """Lines of one input: read into windows, and confirmed of these."""

    lines_read: int = 0
    lines_confirmed: int = 0


class _Pending(NamedTuple):
    """A window that was handed out: where it ends, the bytes before that, what tells of them, and its lines."""

    to: int
    tail: bytes
    mark: Mark
    lines: int


class Generation:
    """`now` is always time.monotonic().

    source: '' until there is content.   saved: whether the source is in the saved state; nothing is read before.
    path, origin: where it is, and what led there.   real: where that leads by links, '' where it is that.
    live: the path of the live file of its log.   matched: whether a glob still leads to it.
    left_at: when it was renamed, or no glob led to it any more.   grown_at: when it was last seen to grow.
    due: when to read next.   failing: the last look at it failed.
    rewritten_at: when its file was found not to hold it any more, Unix time.   ended: its content is gone.
    start: where the first window began.   confirmed: up to where all is safe.   lines: records between the two.
    previous, reached: the generation before it, and up to where that was read when this one began; '' for none.
    rewinds: how often it went back.   is_new: nothing of it was read before, or confirmed.
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
        self._pending: list[_Pending] = []  # not a deque: one is as large as the rest of a generation that rests
        self._checkpoint: Checkpoint | None = None

    def __repr__(self) -> str:
        return f"<{self.source or 'empty'} {self.path} {self.confirmed}>"

    def resume(self, saved: Checkpoint) -> None:
        """Go on as the generation that it was recognised as. Raises Rewritten, OSError."""
        self.source, self.since, self.saved = saved.source, saved.since, True
        self.start, self.confirmed, self.lines = saved.start, saved.confirmed, saved.lines
        self.previous, self.reached = saved.previous, saved.reached
        self._mark = saved.tail
        self.reader.prefix = saved.prefix
        is_late = not self._is_plain  # what stands before the position is compared when it is unpacked
        self.reader.go_to(saved.confirmed, proof=saved.tail if is_late else None)
        self._tail = self.reader.tail

    def begin_as_set(self) -> None:
        """Begin where `read_from` says: with the first line that begins there, or with an unended one."""
        setting, reader = self.origin.settings.read_from, self.reader
        if setting == "start" or not self._is_plain:
            return  # of what is packed all: where its end is, is known at its end alone
        offset = max(0, os.fstat(reader.fd).st_size - setting)
        reader.go_to(self._line_near(offset) if offset else 0)
        self.start = self.confirmed = reader.position
        self._tail, self._mark = reader.tail, reader.mark_read()

    def follow(self, previous: str, reached: int) -> None:
        """Begin behind another one, that was read up to there."""
        if not (self.previous or self.has_begun):
            self.previous, self.reached = previous, reached

    @property
    def pending(self) -> bool:
        """Whether windows were handed out and not confirmed."""
        return bool(self._pending)

    @property
    def _is_plain(self) -> bool:
        return isinstance(self.reader.content, Plain)

    @property
    def inode(self) -> Inode:
        """Of the file that it is read from."""
        return self.reader.inode

    @property
    def has_begun(self) -> bool:
        """Whether anything of it was handed out."""
        return self.reader.position > self.start or self.confirmed > self.start or self.rewinds > 0

    @property
    def is_rewritten(self) -> bool:
        """Whether its file does not hold it any more."""
        return self.ended or self.rewritten_at is not None

    def size_now(self) -> int:
        """Bytes that its file has; of a packed one, as far as is known."""
        return os.fstat(self.reader.fd).st_size if self._is_plain else self.reader.size

    def is_through(self, size: int) -> bool:
        """Whether all up to there is safe, and if it is packed to its end; or it cannot be read."""
        reader = self.reader
        if self.ended or self.failing:
            return not self._pending
        if self.rewritten_at is not None or reader.holds or not self._is_plain:
            return self.rewritten_at is None and reader.exhausted and not (reader.waits or self._pending)
        end = min(size, reader.size)
        return self.confirmed >= end or (reader.reached >= end and not self._pending)

    @property
    def settled(self) -> bool:
        """Whether all that there was has been read and confirmed."""
        return self.confirmed == self.reader.size and not self._pending

    @property
    def checkpoint(self) -> Checkpoint:
        """What is to be saved of it: the same object as before while nothing of it has moved."""
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
        """What is known of it when it is closed. stamp: of its file."""
        return replace(self.checkpoint, size=stamp[0], changed=stamp[1], done=done)

    def identity_saved(self) -> None:
        """Its source is in the saved state: it can be read."""
        self.saved = True

    def seen_at(self, path: str, now: float) -> None:
        """A glob leads to it there."""
        if path != self.path:
            self.path, self.left_at, self.real = path, now, _real(self.reader.fd, path)
        elif not self.matched:
            self.left_at = None
        self.matched = True

    def missed(self, now: float, path: str = "") -> None:
        """No glob leads to it any more. path: where it stands now, if that is known."""
        if self.matched:
            self.left_at, self.matched = now, False
        self.path = path or self.path

    def move(self, reader: Reader, path: str, now: float) -> None:
        """Go on in another file that holds the same content: a copy, or what was compressed."""
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
        """See how large it is; at the first sight of content it gets its identity. Raises Rewritten, OSError."""
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
        """The next window, or None when there is no whole line; `final`: a last line without a newline is whole too.

        Raises Rewritten, OSError.
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
        return self._handed_out(piece) if piece is not None else None

    def failed(self, due: float) -> None:
        """It cannot be read now."""
        self.failing, self.due = True, due

    def rest(self, due: float) -> None:
        """It is not to be read before that."""
        self.due = due

    def confirm(self, records: int) -> None:
        """The oldest window handed out is safe; it came to so many records."""
        oldest = self._pending.pop(0)
        self.confirmed, self._tail, self._mark = oldest.to, oldest.tail, oldest.mark
        self.lines += records
        self._tally.lines_read += records - oldest.lines
        self._tally.lines_confirmed += records
        if self.segment is not None:
            self.segment.confirmed = self.confirmed

    def rewind(self, due: float) -> bool:
        """Go back to where it is confirmed: what was handed out since is read again, from the time `due`.

        False if it cannot be, since its content is gone.
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
        """Its content is gone: whatever it had beyond what was read is lost."""
        self.ended, self.rewritten_at = True, None
        self._lose(self.reader.position, max(self.reader.position, self.reader.size))

    def _lose(self, begin: int, end: int) -> None:
        """Count bytes that were there and can no longer be read."""
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

    def _handed_out(self, piece: Piece) -> Window:
        reader = self.reader
        to = reader.position
        from_ = to - piece.length
        after = (self.previous, self.reached) if self.previous and from_ == self.start else None
        if piece.cut:
            LINE_CUT.happened(path=shown(self.path), length=piece.length, position=from_, kept=len(piece.data))
        if reader.prefix.length < PREFIX:
            reader.prefix = reader.mark(PREFIX)
        read = reader.mark_read()
        mark = reader.prefix if read == reader.prefix else read  # one object for both, of each small file
        self._pending.append(_Pending(to, reader.tail, mark, piece.lines))
        self._tally.lines_read += piece.lines
        return Window(self.source, self.start, from_, to, piece.data, piece.cut, self.container, piece.hole, after)


def _real(fd: int, path: str) -> str:
    """What an open file is called, where that is something else than the path by which it was met."""
    real = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115  # paths are plain strings here
    return "" if real == path else real
