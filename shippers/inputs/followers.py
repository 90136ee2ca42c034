"""The files that are open, by inode: who takes turns, who has ended, and the last word on those that were let go.

In come followers that know which file they are; out they go when there is nothing more to be had of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from logrouter.statement import SourceStatement
from shippers.input import Input
from shippers.inputs.chain import Tally
from shippers.inputs.discovery import Origin
from shippers.inputs.follower import Follower
from shippers.inputs.gone import Gone
from shippers.inputs.identity import Saved
from shippers.inputs.tree import Inode
from shippers.inputs.turns import Turns
from shippers.inputs.watches import Watches


class Followers:
    """tallies: lines, by input.   turns: those that are awake.   gone: the last known of those followed no longer.

    changes: how often it changed what is followed, and where that is; whoever changes it counts.
    """

    def __init__(self, inputs: Iterable[Input], origins: Mapping[str, Origin], watches: Watches) -> None:
        self.tallies = {settings: Tally() for settings in inputs}
        self.by_inode: dict[Inode, Follower] = {}
        self.turns = Turns(watches)
        self.gone = Gone(origins)
        self.changes = 0
        self._ended: list[Follower] = []

    def __iter__(self) -> Iterator[Follower]:
        return iter(list(self.by_inode.values()))

    def add(self, follower: Follower) -> None:
        """Follow it from now on."""
        self.by_inode[follower.inode] = follower
        self.turns.wake(follower)
        self.changes += 1

    def begin_anew(self, old: Follower, now: float) -> None:
        """The same file, rewritten: another incarnation, from its start."""
        new = Follower(old.fd, old.path, old.origin, now, self.tallies[old.origin.settings])
        new.matched, new.left_at = old.matched, old.left_at
        old.end()
        if old.chain.pending:
            self._ended.append(old)
        else:
            self.gone.add(old)
        self.turns.sleep(old)
        self.add(new)

    def leave(self, follower: Follower) -> None:
        """Follow it no longer, since another goes on with its content."""
        del self.by_inode[follower.inode]
        self.turns.leave(follower)
        follower.close()
        self.changes += 1

    def let_go(self, follower: Follower) -> None:
        """Follow it no longer, since it is done with."""
        self.leave(follower)
        self.gone.add(follower)

    def unfinished(self) -> list[Follower]:
        """Those whose positions are to be kept; of ended ones that are confirmed by now only the last word is.

        Nor are those kept of files without content, and of deleted ones that were read to their end.
        """
        for follower in [each for each in self._ended if not each.chain.pending]:
            self._ended.remove(follower)
            self.gone.add(follower)
        return [*(each for each in self if each.source and not (each.unlinked and each.settled)), *self._ended]

    def standings(self, known: Iterable[Saved]) -> list[SourceStatement]:
        """How far each source is: of all that are followed or `known`, and of those gone and not yet forgotten."""
        return self.gone.standings([*self, *self._ended], known)

    def close(self) -> None:
        """Let go of all."""
        for follower in self:
            follower.close()
