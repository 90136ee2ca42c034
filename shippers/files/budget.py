"""Decides which files are open when there are more files than descriptors.

A process has a limited number of descriptors, and some are reserved for its state, its broker and its sockets. A file
that is read to its end and confirmed can be closed: its checkpoint recognises it later, and its stamp shows when there
is more to read.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

from logrouter.observability.conditions import Condition
from logrouter.observability.events import INPUT_IN_TURN, INPUT_OPEN
from shippers.files.discovery import Wanted
from shippers.files.tree import Inode

_RESERVE = 28
"""Descriptors reserved for the state, the broker, directories that are being listed and other short-lived uses."""

_MIN_OPEN = 4


def most_open(others: int = 0) -> int:
    """Return how many files may be open: the system's limit, less those open now, a reserve and `others`."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(_MIN_OPEN, limit - len(os.listdir("/proc/self/fd")) - _RESERVE - others)  # noqa: PTH208  # names will do


class Budget:
    """The limit on open files, and the files that wait for their turn.

    most: how many files may be open.   waiting: files that are due to be opened and have not been yet.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: frozenset[Inode] = frozenset()
        self._closed: dict[Inode, float] = {}
        self._is_short = Condition(INPUT_IN_TURN, INPUT_OPEN)

    @property
    def is_short(self) -> bool:
        """Whether there are more files than may be open at once."""
        return self._is_short.holds

    def due(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Return `wanted` in the order of its turns: files that were never closed, then those closed longest."""
        inodes = {each.inode for each in wanted}
        self._closed = {inode: since for inode, since in self._closed.items() if inode in inodes}
        return sorted(wanted, key=lambda each: self._closed.get(each.inode, 0.0))

    def wait(self, due: Sequence[Inode], room: int, files: int) -> None:
        """Note the files that are due, and log when a shortage begins or ends.

        room: how many of them may be opened now.   files: how many files there are in all.
        """
        self.waiting = frozenset(due)
        if len(due) > room:
            self._is_short.begin(files=files, most=self.most)
        elif files <= self.most:
            self._is_short.end(files=files)

    def closed(self, inode: Inode, now: float) -> None:
        """Note that a file was closed or could not be opened. It has its next turn after all others."""
        self._closed[inode] = now

    def tried(self, inode: Inode, *, is_open: bool, now: float) -> None:
        """Note that a file has had its turn."""
        self.waiting -= {inode}
        if is_open:
            self._closed.pop(inode, None)
        else:
            self.closed(inode, now)
