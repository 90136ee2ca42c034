"""One incarnation of a file, from its bytes to windows of whole lines.

In comes an open file that others append to, rename and delete; out go contiguous windows, and the positions up to
which they were confirmed. A truncated or rewritten file is another incarnation: that is found here and acted on by
`files`.
"""

from __future__ import annotations

import os
import time
from secrets import token_hex

from logrouter.observe.events import FILE_REWRITTEN, LINE_CUT
from logrouter.observe.metrics import UNREAD
from shippers.input import Input
from shippers.inputs.chain import Chain, Tally
from shippers.inputs.containers import container_of
from shippers.inputs.content import Content, NotReady, Plain, Rewritten, content_of
from shippers.inputs.cutting import LongLine, Piece, piece_of
from shippers.inputs.discovery import Origin
from shippers.inputs.identity import PREFIX, TAIL, Mark, Saved, shown
from shippers.lines import Window

WINDOW = 256 << 10
"""Bytes read at a time, and so the most in a window, save for one that is a single longer line."""

MAX_LINE = 8 << 20
"""Bytes of a line that are kept at most, whatever `max_line` says: a record has to fit into a message."""

TICK = 0.025
"""Seconds between two looks at a file that grows: short enough to be immediate, and it gathers lines to a window."""

QUIET = 1.0
"""Seconds after which a file that does not grow is looked at only by each scan."""

_SCAN = 1 << 20
"""Bytes of a line that does not end that are looked at in one turn."""


def line_limit(settings: Input) -> int:
    """Bytes of a line of an input that are kept."""
    return min(settings.max_line, MAX_LINE)


class Follower:
    """Reads one open file. Owns `fd`; `now` is always time.monotonic().

    source: '' until the file has content.      since: when it got that, Unix time.
    saved: whether the source is in the saved state; nothing is read before.
    path, origin: where it is, and what led there.      size: in bytes, when last looked at; of a segment of a spool,
    what is safe of it, beyond which nothing is read.
    matched: whether a glob still leads to it.  left_at: when the path at which it was met ceased to lead to it.
    grown_at: when it was last seen to grow.    due: when to read next, while it is awake.
    awake: whether it takes its turns; it does not while there is nothing new.
    failing: the last look at it failed.
    chain: how far it is read and confirmed.
    holds: a last record waits, for a while, for lines that may belong to it.
    ended: it was rewritten, and what was not confirmed cannot be read again.
    """

    def __init__(self, fd: int, path: str, origin: Origin, now: float, tally: Tally) -> None:
        status = os.fstat(fd)
        self.fd = fd
        self.path = path
        self.origin = origin
        self.segment = origin.segment
        self.inode = (status.st_dev, status.st_ino)
        joining = origin.settings.joining
        self.container = container_of(path, joining.wrapping) if joining and joining.wrapping else None
        self.content: Content = Plain(fd) if origin.segment else content_of(fd, path)
        self.size = 0
        self.unlinked = False
        self.matched = True
        self.ended = False
        self.failing = False
        self.source = ""
        self.since = 0.0
        self.saved = False
        self.grown_at = now
        self.left_at: float | None = None
        self.due = now
        self.awake = False
        self.chain = Chain(tally)
        self._prefix = Mark()
        self._long: LongLine | None = None
        self._fruitless = -1
        self._state: Saved | None = None
        self.holds = False

    def resume(self, saved: Saved) -> None:
        """Go on as the incarnation that it was recognised as."""
        self.source, self.saved, self._prefix = saved.source, True, saved.prefix
        self.since = saved.since
        self.chain.begin(saved.start, saved.confirmed, self._before(saved.confirmed), saved.lines)

    def begin_as_set(self) -> None:
        """Begin where `read_from` says: with the first line that begins there, or with an unended one."""
        if self.origin.settings.read_from == "start":
            return
        if not isinstance(self.content, Plain):
            return  # all of it: where its end is, is known at its end alone
        offset = max(0, os.fstat(self.fd).st_size - self.origin.settings.read_from)
        if offset:
            offset = self._line_near(offset)
        self.chain.begin(offset, offset, self._before(offset))

    def _line_near(self, offset: int) -> int:
        look = offset - 1
        while content := self.content.read(_SCAN, look):
            newline = content.find(b"\n")
            if newline >= 0:
                return look + newline + 1
            look += len(content)
        before = self.content.read(min(offset, _SCAN), max(0, offset - _SCAN))
        return offset - len(before) + before.rfind(b"\n") + 1

    def _bytes(self, count: int, offset: int) -> bytes:
        """What stands there; of a segment only what is safe. Raises NotReady."""
        if self.segment is not None:
            count = max(0, min(count, self.segment.synced - offset))
        return self.content.read(count, offset, at_once=False)

    def _from_start(self, count: int) -> bytes:
        if self.segment is not None:
            count = min(count, self.segment.synced)
        return self.content.read(count, 0)

    def _before(self, position: int) -> bytes:
        count = min(TAIL, position)
        return self.content.read(count, position - count)

    def state(self) -> Saved:
        """What is to be saved of it: the same object as before while nothing of it has moved.

        Lines and the confirmed tail move with `confirmed` alone, for no window is empty.
        """
        chain, last = self.chain, self._state
        moves = (self.source, self.path, chain.start, chain.confirmed, self._prefix)
        if last is None or moves != (last.source, last.path, last.start, last.confirmed, last.prefix):
            last = self._state = Saved(
                self.source,
                self.path,
                *self.inode,
                chain.start,
                chain.confirmed,
                self.origin.glob,
                self._prefix,
                Mark.of(chain.confirmed_tail),
                lines=chain.lines,
                since=self.since,
            )
        return last

    @property
    def reached(self) -> int:
        """Up to where it was read, or looked at in vain for the end of a line."""
        return max(self.chain.position, self._fruitless)

    @property
    def exhausted(self) -> bool:
        """Whether there was nothing more to read when last looked, save for a last line without a newline."""
        return self.size in (self.chain.position, self._fruitless)

    @property
    def waits(self) -> bool:
        """Whether something is to be read that only time makes whole: a record held, the end of what was unpacked."""
        return self.holds or self.content.behind or (self.content.ended and self.chain.position < self.size)

    @property
    def settled(self) -> bool:
        """Whether all that there was has been read and confirmed."""
        return self.chain.confirmed == self.size and not self.chain.pending

    def look(self, now: float) -> None:
        """See how large it is; at the first sight of content it gets its identity. Raises Rewritten, OSError."""
        status = os.fstat(self.fd)
        self.unlinked = status.st_nlink == 0
        if not self.source and status.st_size and self.segment is None:
            self.content = content_of(self.fd, self.path)  # when it was opened it may have been empty
        size = self.content.size(status.st_size)
        if self.segment is not None:
            size = min(size, self.segment.synced)
        if size < self.chain.position:
            raise Rewritten(f"{self.path} has {size} bytes, and {self.chain.position} were read")
        if size < self.size:
            self._check_beginning()
            self._lose(size, self.size)
        if size > self.size:
            self.grown_at = now
        self.size = size
        if self.size and not self.source:
            self.source, self.since = token_hex(8), time.time()
            self._prefix = Mark.of(self._from_start(PREFIX))

    def read(self, now: float, *, final: bool = False) -> Window | None:
        """The next window, or None when there is no whole line; `final`: a last line without a newline is whole too.

        Does a bounded amount of work, so that files can take turns. Raises Rewritten, OSError.
        """
        before = self.size
        try:
            self.look(now)
            final = final or (self.content.ended and now - self.grown_at >= QUIET)
            joining = self.origin.settings.joining
            is_due = self.holds and joining is not None and now - self.grown_at >= joining.flush
            window = self._next(final, is_due) if self.saved and (final or is_due or not self.exhausted) else None
        except Rewritten:
            self.size = before
            raise
        except NotReady:
            self.due = now
            return None
        self.due = now + TICK if self.exhausted or not self.saved else now
        return window

    def restate(self, to: int, lines: int) -> None:
        """The newest window handed out ends at `to`, with so many records: what is behind that comes again."""
        self.chain.restate(to, self._before(to), lines)

    def confirm(self) -> None:
        """The oldest window handed out is safe."""
        self.chain.confirm()
        if self.segment is not None:
            self.segment.confirmed = self.chain.confirmed

    def rewind(self, due: float) -> bool:
        """Go back to where it is confirmed: all windows handed out since are to be read again, from the time `due`.

        False if they cannot be, since the file was rewritten.
        """
        if self.ended and self.chain.pending:
            self._lose(self.chain.confirmed, self.chain.position)
        self.chain.rewind()
        self._long = None
        self._fruitless = -1
        self.holds = False
        self.due = due
        return not self.ended

    def close(self) -> None:
        """Let the file go."""
        os.close(self.fd)

    def end(self) -> None:
        """It was rewritten: whatever it had beyond its position is gone."""
        self.ended = True
        self._lose(self.chain.position, max(self.chain.position, self.size))

    def _lose(self, begin: int, end: int) -> None:
        """Count bytes that were there and can no longer be read."""
        FILE_REWRITTEN.happened(path=shown(self.path), position=begin, unread=end - begin)
        UNREAD.inc(end - begin)

    def _check_beginning(self) -> None:
        if Mark.of(self.content.read(self._prefix.length, 0)) != self._prefix:
            raise Rewritten(f"{self.path} begins anew")

    def _next(self, final: bool, is_due: bool) -> Window | None:
        """`is_due`: the last record has waited long enough."""
        self.holds = False
        if self._long is not None:
            return self._scan(self._long, final)
        if not self.chain.position:
            self._check_beginning()
        content = self._take(WINDOW)
        is_last = len(content) < WINDOW
        end = content.rfind(b"\n") + 1
        if not end and not is_last:
            self._long = LongLine()
            self._long.add(content)
            return None
        if end or (final and content):
            settings, hold = self.origin.settings, is_last and not (final or is_due)
            whole = content[: end or len(content)]
            piece = piece_of(whole, line_limit(settings), settings.joining, hold=hold, more=not is_last)
            if piece is not None:
                return self._window(piece)
            self.holds = True
        self._fruitless = self.size
        return None

    def _take(self, count: int) -> bytes:
        """The next bytes, if those before them are still what they were."""
        tail, position = self.chain.tail, self.chain.position
        content = self._bytes(len(tail) + count, position - len(tail))
        if not content.startswith(tail):
            raise Rewritten(f"{self.path} was rewritten before {position}")
        return content[len(tail) :]

    def _scan(self, line: LongLine, final: bool) -> Window | None:
        """A further look for the end of a long line."""
        content = self._bytes(_SCAN, self.chain.position + line.length)
        line.add(content)
        if not line.ended and len(content) == _SCAN:
            return None
        if not line.ended and not final:
            self._fruitless = self.size
            return None
        self._long = None
        kept = line.kept(line_limit(self.origin.settings))
        data = self._take(kept)
        if len(data) < kept:
            raise Rewritten(f"{self.path} was truncated after {self.chain.position}")
        return self._window(line.piece(data))

    def _window(self, piece: Piece) -> Window:
        chain, data = self.chain, piece.data
        to = chain.position + piece.length
        window = Window(self.source, chain.start, chain.position, to, data, piece.cut, self.container)
        if piece.cut:
            LINE_CUT.happened(path=shown(self.path), length=piece.length, position=window.from_, kept=len(data))
        if self._prefix.length < PREFIX:
            self._prefix = Mark.of(self._from_start(PREFIX))
        chain.hand_out(to, self._before(to) if piece.cut else (chain.tail + data[-TAIL:])[-TAIL:], piece.lines)
        return window
