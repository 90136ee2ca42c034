"""A log: a path, and the chain of its generations that are open, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shippers.files.generation import Generation
from shippers.files.rotation import Sibling, is_doubtful
from shippers.files.tree import Inode


class Log:
    """live: the path of its live file.   chain: its open generations.   last: the one before these, and where it ended.

    copies: files that hold what another one holds, and which; both by inode.
    """

    def __init__(self, live: str) -> None:
        self.live = live
        self.chain: list[Generation] = []
        self.last: tuple[str, int] = ("", 0)
        self.copies: dict[Inode, Inode] = {}
        self._before: dict[Generation, list[tuple[Generation, int]]] = {}
        self._is_chain = False
        self._unknown: Sequence[int] = ()
        self._places: Mapping[Inode, int] = {}

    @property
    def is_unclear(self) -> bool:
        """Whether it is not known yet what some of its files are."""
        return bool(self._unknown)

    def may_begin(self, generation: Generation) -> bool:
        """Whether all has been read that came before it, as far as that went when it was met; it then follows that.

        Late lines of a writer that goes on with a renamed file hold up nothing.
        """
        if not self._is_chain:
            return True
        if generation not in self._before:
            before = self.chain[: self.chain.index(generation)]
            self._before[generation] = [(each, each.size_now()) for each in before]
        place = self._places.get(generation.inode, -1)
        if any(each < place for each in self._unknown):
            return False
        if not all(each.is_through(size) for each, size in self._before[generation]):
            return False
        self._follow(generation)
        return True

    def arrange(self, standing: Sequence[Sibling], unknown: set[Inode]) -> None:
        """Put the chain into the order of these files, of which some are not known yet.

        What stands nowhere stays before what came behind it. `worker-1.log` and `worker-2.log` are no generations of
        each other where there is no `worker.log`: then none waits for another.
        """
        self._is_chain = self._is_chain or any(not is_doubtful(each.path) for each in standing)
        places = {each.inode: place for place, each in enumerate(standing)}
        placed: list[tuple[int, Generation]] = []
        following = len(places)
        for each in reversed(self.chain):
            following = places.get(each.inode, following)
            placed.append((following, each))
        placed.reverse()
        self.chain = [each for _, each in sorted(placed, key=lambda item: item[0])]
        self._unknown = [places[inode] for inode in unknown]
        self._places = places if unknown else {}

    def insert(self, generation: Generation, behind: Generation | None = None) -> None:
        """Take in another one: behind one of the chain, else as the newest of those followed no later."""
        place = len(self.chain)
        if behind is not None:
            place = self.chain.index(behind) + 1
        elif generation.source:
            newer = (at for at, each in enumerate(self.chain) if not each.source or each.since > generation.since)
            place = next(newer, place)
        self.chain.insert(place, generation)

    def remove(self, generation: Generation) -> None:
        """It is open no longer."""
        self.chain.remove(generation)
        self._before.pop(generation, None)
        if generation.source:
            self.last = generation.source, generation.reader.position

    def _follow(self, generation: Generation) -> None:
        last = self.last
        for each in self.chain[: self.chain.index(generation)]:
            if each.source:
                last = each.source, each.reader.position
        generation.follow(*last)
        del self._before[generation]
