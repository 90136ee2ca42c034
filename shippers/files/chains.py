"""The open generations of all logs, and the chain that each is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shippers.files.generation import Generation
from shippers.files.log import Log
from shippers.files.reader import Reader
from shippers.files.registry import REMEMBERED
from shippers.files.schedule import Turns
from shippers.files.tree import Inode


class Chains:
    """by_inode: those whose file still holds them.   changes: how often what is open, or where it is, has changed."""

    def __init__(self, turns: Turns) -> None:
        self.by_inode: dict[Inode, Generation] = {}
        self.changes = 0
        self._turns = turns
        self._logs: dict[str, Log] = {}
        self._open: dict[Generation, None] = {}
        self._forget_at = REMEMBERED

    def __iter__(self) -> Iterator[Generation]:
        """All, also those that have ended and wait to be confirmed."""
        return iter(list(self._open))

    def log(self, live: str) -> Log:
        """The log with this live path."""
        log = self._logs.get(live)
        if log is None:
            log = self._logs[live] = Log(live)
        return log

    def log_of(self, generation: Generation) -> Log:
        """The log that one is of."""
        return self._logs[generation.live]

    def add(self, log: Log, generation: Generation, behind: Generation | None = None) -> None:
        """One is open from now on: behind another one of its log, or where it was followed in time."""
        log.insert(generation, behind)
        generation.live = log.live
        self._open[generation] = None
        self._have(generation)

    def leave(self, generation: Generation) -> None:
        """Close one."""
        self._have_not(generation)
        del self._open[generation]
        self.log_of(generation).remove(generation)
        generation.reader.close()
        self.changes += 1

    def carry(self, generation: Generation, live: str) -> None:
        """One stands where generations of this log do, which may be another log than before."""
        self.changes += 1
        if generation.live != live:
            self.log_of(generation).remove(generation)
            generation.live = live
            self.log(live).insert(generation)

    def move(self, generation: Generation, reader: Reader, path: str, now: float) -> None:
        """Go on with one in another file, which holds it now. Raises OSError."""
        self._have_not(generation)
        generation.move(reader, path, now)
        self._have(generation)

    def rest(self, generation: Generation) -> None:
        """Its file holds it no longer: there is nothing to read."""
        self._turns.leave(generation)

    def forget(self, is_known: Callable[[str], bool]) -> list[str]:
        """Now and then drop the logs of which nothing is open, or known; returns their live paths."""
        if len(self._logs) <= self._forget_at:
            return []
        gone = [live for live, log in self._logs.items() if not (log.chain or is_known(live))]
        for live in gone:
            del self._logs[live]
        self._forget_at = 2 * len(self._logs) + REMEMBERED
        return gone

    def _have(self, generation: Generation) -> None:
        self.by_inode[generation.inode] = generation
        self._turns.wake(generation)
        self.changes += 1

    def _have_not(self, generation: Generation) -> None:
        if self.by_inode.get(generation.inode) is generation:
            del self.by_inode[generation.inode]
        self._turns.leave(generation)
