"""A source that is read once more, beside whoever follows it: by a descriptor of its own, and no position moves."""

from __future__ import annotations

import os

from shippers.input import Input
from shippers.inputs.containers import container_of
from shippers.inputs.content import Content, Rewritten, content_of
from shippers.inputs.cutting import piece_of
from shippers.inputs.follower import WINDOW, line_limit
from shippers.inputs.identity import shown
from shippers.lines import Window

_LONGEST = 64 << 20
"""Bytes of a line that are looked through for its end."""


class Reread:
    """An open file that is the source. Its calls block on the disk.

    start: where the source's chain of windows begins.
    """

    def __init__(self, fd: int, path: str, settings: Input, source: str, start: int) -> None:
        self._fd = fd
        self._content: Content = content_of(fd, path)
        joining = settings.joining
        self._container = container_of(path, joining.wrapping) if joining and joining.wrapping else None
        self._start = start
        self._limit = line_limit(settings)
        self.path = shown(path)
        self.settings = settings
        self.source = source

    def window(self, start: int, end: int) -> Window | None:
        """The first window of `[start, end)`; None if it cannot be read."""
        size = WINDOW
        try:
            while True:
                data = self._content.read(min(size, end - start), start)
                is_all = len(data) == end - start
                whole = data if is_all else data[: data.rfind(b"\n") + 1]
                if whole or len(data) < min(size, end - start) or size >= _LONGEST:
                    break
                size *= 4
        except (OSError, Rewritten):
            return None
        if not whole:
            return None
        piece = piece_of(whole, self._limit, self.settings.joining, hold=False, more=not is_all)
        assert piece is not None  # nothing is held
        to = start + piece.length
        return Window(self.source, self._start, start, to, piece.data, piece.cut, self._container)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)
