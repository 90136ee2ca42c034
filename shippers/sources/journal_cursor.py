"""Where a journal is to be gone on with: after the last entry that is safe in its spool.

Each line of the spool holds the cursor of its entry, and is synced before anything of it is published. So wherever a
`kill -9` strikes, the last whole line of the newest segment says how far it came:

- before the sync: what stands there of a line that is not whole is cut off, and its entry is read again; nothing of it
  was published, for only what is synced is. Whole lines behind the last sync stay, and are gone on after.
- after the sync, before or after the publish: the entry is in the spool, so it is not read from the journal again.
- a segment is confirmed and about to be deleted: its last cursor is first saved in the file `cursor`, synced. Killed
  before the deletion, there are both, and the segment is the newer or the same; after it, there is the file.

So the file counts only where no segment holds a line, and it is as new as whatever was deleted.
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
    """Of the spool in `directory`. To be made before the Spool, for it cuts off what is not whole; raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._failing = Condition(SPOOL_FAILING, SPOOL_RESUMED)
        cursors = [_mended(path) for path in sorted(directory.glob("[0-9]*-*.spool"), reverse=True)]
        saved = self._path.read_text(errors="replace").strip() if self._path.exists() else ""
        self.last = next(filter(None, cursors), saved)
        """Of the last entry that an earlier process made safe; '' where there is none."""
        self.begun = bool(self.last) or self._path.exists()
        """Whether an earlier process has caught up, or at least begun to."""

    def note(self, cursor: str) -> None:
        """Save how far the journal was read, with nothing in the spool: go on after that. Raises OSError."""
        replace_file(self._path, cursor.encode() + b"\n")

    def keep(self, segment: Segment) -> bool:
        """Save the last cursor of a segment that is to be deleted; whether it may be."""
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
    """Whether a journal goes on from there, even with nothing in its spool."""
    return (directory / _FILE).exists()


def _mended(path: Path) -> str:
    """The last cursor in a segment, '' for none; what is not whole is cut off its end."""
    size = path.stat().st_size
    end, cursor = _end(path, size)
    if end < size:
        os.truncate(path, end)
    return cursor


def _end(path: Path, size: int) -> tuple[int, str]:
    """Where the last whole line of a segment's first `size` bytes ends, and the last cursor before that."""
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
