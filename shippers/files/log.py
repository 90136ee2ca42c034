"""A log: a path, and the chain of its generations that are open, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from shippers.files.generation import Generation
from shippers.files.rotation import Sibling, is_doubtful
from shippers.files.tree import Inode


class Copy(NamedTuple):
    """A file that holds what another one holds.   of: the inode of that.   size, changed: as in a Sibling."""

    of: Inode
    size: int
    changed: int


_NOWHERE: Mapping[Inode, int] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Log:
    """live: the path of its live file.   chain: its open generations.   last: the one before these, and where it ended.

    copies: files that hold what another one holds, by inode.
    """

    live: str
    chain: list[Generation] = field(default_factory=list)
    last: tuple[str, int] = ("", 0)
    copies: dict[Inode, Copy] = field(default_factory=dict)
    _before: dict[Generation, list[tuple[Generation, int]]] = field(default_factory=dict)
    _is_chain: bool = False
    _unknown: Sequence[int] = ()
    _places: Mapping[Inode, int] = field(default_factory=lambda: _NOWHERE)

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
        before = self._before.get(generation)
        if before is None:
            before = [(each, each.size_now()) for each in self.chain[: self.chain.index(generation)]]
            if before:
                self._before[generation] = before
        place = self._places.get(generation.inode, -1)
        if any(each < place for each in self._unknown):
            return False
        if not all(each.is_through(size) for each, size in before):
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
        self._unknown = tuple(places[inode] for inode in unknown)
        self._places = places if unknown else _NOWHERE

    def insert(self, generation: Generation, behind: Generation | None = None) -> None:
        """Take in another one: behind one of the chain, else as the newest of those followed no later."""
        place = len(self.chain)
        if behind is not None:
            place = self.chain.index(behind) + 1
        else:
            newer = (at for at, each in enumerate(self.chain) if each.since > generation.since)
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
        self._before.pop(generation, None)
