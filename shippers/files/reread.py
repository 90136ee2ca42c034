"""Reads a source once more while it is followed: by a descriptor of its own, without moving any position."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace

from shippers.encode.lines import Window
from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Rewritten, content_of
from shippers.files.descriptors import open_file
from shippers.files.fingerprint import shown
from shippers.files.reader import Reader
from shippers.input import Input
from shippers.sources.containers import container_of


@dataclass(frozen=True, slots=True)
class RereadRequest:
    """A source to read once more.

    fd: of the file that it is followed in, if it is open.   paths: where it was last seen, then where else it may be.
    is_ours: it is a segment of a spool.
    """

    saved: Checkpoint
    settings: Input
    paths: tuple[str, ...]
    fd: int | None = None
    is_ours: bool = False


class Reread:
    """An open file that holds the source. Its calls block on the disk."""

    def __init__(self, fd: int, path: str, sought: RereadRequest) -> None:
        settings, saved = sought.settings, sought.saved
        joining = settings.joining
        self._end = 0
        self._reader = Reader(fd, path, settings, lambda: self._end, is_ours=sought.is_ours)
        container = container_of(path, joining.wrapping) if joining and joining.wrapping else None
        self._window = Window(saved.source, saved.start, 0, 0, b"", container=container)
        self._after = (saved.previous, saved.reached) if saved.previous else None
        self.path = shown(path)
        self.settings = settings
        self.source = saved.source

    def window(self, start: int, end: int) -> Window | None:
        """Return the first window of `[start, end)`, or None if it cannot be read."""
        self._end = end
        try:
            self._reader.go_to(start)
            self._reader.look()
            while (piece := self._reader.read(final=True, due=True)) is None:
                if self._reader.exhausted:
                    return None
        except (OSError, Rewritten):
            return None
        return replace(
            self._window,
            from_=start,
            to=self._reader.position,
            data=piece.data,
            cut=piece.cut,
            hole=piece.hole,
            after=self._after if start == self._window.start else None,
        )

    def close(self) -> None:
        self._reader.close()


def find(sought: RereadRequest) -> Reread | None:
    """Open a file that holds a source. Return None if there is none any more. Blocks on the disk."""
    opened_at = [(f"/proc/self/fd/{sought.fd}", sought.paths[0])] if sought.fd is not None else []
    for place, path in (*opened_at, *((path, path) for path in sought.paths)):
        with contextlib.suppress(OSError, Rewritten), contextlib.ExitStack() as opened:
            fd = open_file(place)
            opened.callback(os.close, fd)
            if sought.is_ours or sought.saved.recognises(content_of(fd, path)):
                found = Reread(fd, path, sought)
                opened.pop_all()
                return found
    return None
