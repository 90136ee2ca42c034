"""Whose turn it is to be open, where there are more files than may be.

The descriptors of a process have a limit, and some are kept for its state, its broker and its sockets. A file that is
read to its end and confirmed can be closed: its saved position recognises it, and its stamp tells when there is more.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from logrouter.observe.events import INPUT_IN_TURN, INPUT_OPEN, Condition
from shippers.input import is_compressed
from shippers.inputs.discovery import Discovery, Stamp
from shippers.inputs.tree import Inode

_RESERVE = 28
"""Descriptors for the state, the broker, directories that are looked into, and what else comes and goes."""

_FEWEST = 4

NONE: Stamp = (-1, -1)
"""The stamp of no file: one that was closed so is to be opened again."""


def most_open(others: int = 0) -> int:
    """How many files may be open: what the system allows, less what is open by now, a reserve, and `others`."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(_FEWEST, limit - len(os.listdir("/proc/self/fd")) - _RESERVE - others)  # noqa: PTH208  # no more than names


class _Closed(NamedTuple):
    stamp: Stamp
    since: float


class Budget:
    """most: files that may be open.   waiting: those that are to be opened and have not been yet."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: frozenset[Inode] = frozenset()
        self._closed: dict[Inode, _Closed] = {}
        self._is_short = Condition(INPUT_IN_TURN, INPUT_OPEN)

    @property
    def is_short(self) -> bool:
        """Whether there are more files than may be open."""
        return self._is_short.holds

    def due(self, discovery: Discovery, is_followed: Callable[[Inode], bool]) -> list[Inode]:
        """The files that are to be opened: new ones, and closed ones that hold more, those closed longest first."""
        files = discovery.files
        self._closed = {inode: closed for inode, closed in self._closed.items() if inode in files}
        is_roomy = len(files) <= self.most
        due = [
            inode
            for inode, found in files.items()
            if found.origin.glob not in discovery.late
            and (is_roomy or inode not in self._closed or self._closed[inode].stamp != found.stamp)
            and not is_followed(inode)
        ]
        return sorted(due, key=lambda inode: (self._closed_since(inode), is_compressed(files[inode].paths[0])))

    def wait(self, due: Sequence[Inode], room: int, files: int) -> None:
        """These are due, and there is room for so many of them; there are so many files in all."""
        self.waiting = frozenset(due)
        if len(due) > room:
            self._is_short.begin(files=files, most=self.most)
        elif files <= self.most:
            self._is_short.end(files=files)

    def closed(self, inode: Inode, stamp: Stamp, now: float) -> None:
        """It was closed, and holds no more than it did when it had this stamp."""
        self._closed[inode] = _Closed(stamp, now)

    def tried(self, inode: Inode, *, is_followed: bool, now: float) -> None:
        """It had its turn; one that could not be followed has another after all others."""
        self.waiting -= {inode}
        if is_followed:
            self._closed.pop(inode, None)
        else:
            self.closed(inode, NONE, now)

    @property
    def of_closed(self) -> Collection[Inode]:
        """The files that were closed, or could not be opened."""
        return self._closed.keys()

    def _closed_since(self, inode: Inode) -> float:
        return self._closed[inode].since if inode in self._closed else 0.0
