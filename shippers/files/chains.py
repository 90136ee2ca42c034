"""Keeps the open generations of all logs, and the chain that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shippers.files.generation import Generation
from shippers.files.log import Log
from shippers.files.reader import Reader
from shippers.files.registry import REMEMBERED
from shippers.files.schedule import Turns
from shippers.files.tree import Inode


class Chains:
    """The open generations of all logs.

    by_inode: those whose file still holds them.
    changes: a counter that increases whenever a generation is opened, closed or found elsewhere.
    """

    def __init__(self, turns: Turns) -> None:
        self.by_inode: dict[Inode, Generation] = {}
        self.changes = 0
        self._turns = turns
        self._logs: dict[str, Log] = {}
        self._open: dict[Generation, None] = {}
        self._forget_at = REMEMBERED

    def __iter__(self) -> Iterator[Generation]:
        """Iterate over all of them, including those that have ended and wait for their confirms."""
        return iter(list(self._open))

    def log(self, live: str) -> Log:
        """Return the log with this live path; it is created if need be."""
        log = self._logs.get(live)
        if log is None:
            log = self._logs[live] = Log(live)
        return log

    def log_of(self, generation: Generation) -> Log:
        return self._logs[generation.live]

    def add(self, log: Log, generation: Generation, behind: Generation | None = None) -> None:
        """Add an open generation: behind another one of its log, or else by the time when it was first followed."""
        log.insert(generation, behind)
        generation.live = log.live
        self._open[generation] = None
        self._register(generation)

    def leave(self, generation: Generation) -> None:
        """Close a generation and drop it."""
        self._unregister(generation)
        del self._open[generation]
        self.log_of(generation).remove(generation)
        generation.reader.close()
        self.changes += 1

    def carry(self, generation: Generation, live: str) -> None:
        """Note that a generation is now where those of this log are, which may be another log than before."""
        self.changes += 1
        if generation.live != live:
            self.log_of(generation).remove(generation)
            generation.live = live
            self.log(live).insert(generation)

    def move(self, generation: Generation, reader: Reader, path: str, now: float) -> None:
        """Continue a generation in another file, which holds it now. Raises OSError."""
        self._unregister(generation)
        generation.move(reader, path, now)
        self._register(generation)

    def rest(self, generation: Generation) -> None:
        """Give a generation no more turns: its file no longer holds it, so there is nothing to read."""
        self._turns.leave(generation)

    def forget(self, is_known: Callable[[str], bool]) -> list[str]:
        """Drop the logs of which nothing is open or known, and return their live paths.

        This does nothing until the number of logs has about doubled since the last time.
        """
        if len(self._logs) <= self._forget_at:
            return []
        gone = [live for live, log in self._logs.items() if not (log.chain or is_known(live))]
        for live in gone:
            del self._logs[live]
        self._forget_at = 2 * len(self._logs) + REMEMBERED
        return gone

    def _register(self, generation: Generation) -> None:
        self.by_inode[generation.inode] = generation
        self._turns.wake(generation)
        self.changes += 1

    def _unregister(self, generation: Generation) -> None:
        if self.by_inode.get(generation.inode) is generation:
            del self.by_inode[generation.inode]
        self._turns.leave(generation)
