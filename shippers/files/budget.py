"""Whose turn it is to be open, where there are more files than may be.

The descriptors of a process have a limit, and some are kept for its state, its broker and its sockets. A file that is
read to its end and confirmed can be closed: its saved position recognises it, and its stamp tells when there is more.
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
"""Descriptors for the state, the broker, directories that are looked into, and what else comes and goes."""

_FEWEST = 4


def most_open(others: int = 0) -> int:
    """How many files may be open: what the system allows, less what is open by now, a reserve, and `others`."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(_FEWEST, limit - len(os.listdir("/proc/self/fd")) - _RESERVE - others)  # noqa: PTH208  # no more than names


class Budget:
    """most: files that may be open.   waiting: those that are to be opened and have not been yet."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: frozenset[Inode] = frozenset()
        self._closed: dict[Inode, float] = {}
        self._is_short = Condition(INPUT_IN_TURN, INPUT_OPEN)

    @property
    def is_short(self) -> bool:
        """Whether there are more files than may be open."""
        return self._is_short.holds

    def due(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Those that are to be opened, in their turn: those closed longest first."""
        inodes = {each.inode for each in wanted}
        self._closed = {inode: since for inode, since in self._closed.items() if inode in inodes}
        return sorted(wanted, key=lambda each: self._closed.get(each.inode, 0.0))

    def wait(self, due: Sequence[Inode], room: int, files: int) -> None:
        """These are due, and there is room for so many of them; there are so many files in all."""
        self.waiting = frozenset(due)
        if len(due) > room:
            self._is_short.begin(files=files, most=self.most)
        elif files <= self.most:
            self._is_short.end(files=files)

    def closed(self, inode: Inode, now: float) -> None:
        """It was closed, or could not be opened: it has another turn after all others."""
        self._closed[inode] = now

    def tried(self, inode: Inode, *, is_open: bool, now: float) -> None:
        """It had its turn."""
        self.waiting -= {inode}
        if is_open:
            self._closed.pop(inode, None)
        else:
            self.closed(inode, now)
