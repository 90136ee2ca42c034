"""Remembers where to resume a journal: after the last entry that is durable in its spool.

Each line of the spool holds the cursor of its entry and is synced before anything of it is published. So wherever a
`kill -9` strikes, the last complete line of the newest segment shows how far the journal was read:

- Before the sync, the segment may end with an incomplete line. It is cut off and its entry is read again. Nothing of it
  was published, because only synced bytes are. Complete lines after the last sync are kept; reading resumes after them.
- After the sync, before or after the publish, the entry is in the spool, so it is not read from the journal again.
- Before a confirmed segment is deleted, its last cursor is saved in the file `cursor` and synced. After a kill before
  the deletion both exist, and the cursor of the segment is the same or newer. After the deletion only the file is left.

So the file counts only if no segment holds a line, and it is as new as whatever was deleted.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from logrouter.observability.conditions import Condition
from logrouter.observability.events import SPOOL_FAILING, SPOOL_RESUMED
from logrouter.support.filesystem import replace_file
from shippers.parse.journal import cursor_of, is_whole
from shippers.spool.spool import Segment

_FILE = "cursor"


class Cursors:
    """The cursors of the spool in `directory`. Raises OSError.

    Create it before the Spool, because it cuts incomplete lines off the segments.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._failing = Condition(SPOOL_FAILING, SPOOL_RESUMED)
        cursors = [_repaired(path) for path in sorted(directory.glob("[0-9]*-*.spool"), reverse=True)]
        saved = self._path.read_text(errors="replace").strip() if self._path.exists() else ""
        self.last = next(filter(None, cursors), saved)
        """The cursor of the last entry that an earlier process made durable; '' if there is none."""
        self.begun = bool(self.last) or self._path.exists()
        """Whether an earlier process has caught up with the journal, or at least made an entry durable."""

    def note(self, cursor: str) -> None:
        """Save the position at which to resume when the spool holds no line. Raises OSError."""
        replace_file(self._path, cursor.encode() + b"\n")

    def keep(self, segment: Segment) -> bool:
        """Save the last cursor of a segment before its deletion. Report whether the segment may be deleted now."""
        try:
            _, cursor = _end(segment.path, segment.synced)
            if cursor:
                self.note(cursor)
        except OSError as error:
            self._failing.begin(path=self._path, reason=error)
            return False
        self._failing.end(path=self._path)
        return True


def is_kept(directory: Path) -> bool:
    """Report whether a journal resumes from this directory even if its spool is empty."""
    return (directory / _FILE).exists()


def _repaired(path: Path) -> str:
    """Cut an incomplete line off the end of a segment. Return the last cursor in it; '' if there is none."""
    size = path.stat().st_size
    end, cursor = _end(path, size)
    if end < size:
        os.truncate(path, end)
    return cursor


def _end(path: Path, size: int) -> tuple[int, str]:
    """Return where the last complete line in the first `size` bytes of a segment ends, and the last cursor there."""
    if not size:
        return 0, ""
    whole, cursor = 0, ""
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as content:
        end = content.rfind(b"\n") + 1
        while end and not cursor:
            begin = content.rfind(b"\n", 0, end - 1) + 1
            line = content[begin:end]
            if is_whole(line):
                whole = whole or end
                cursor = cursor_of(line)
            end = begin
    return whole, cursor
