"""A log: a path, and the chain of its generations that are open, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from shippers.files.generation import Generation
from shippers.files.rotation import Sibling
from shippers.files.tree import Inode


class Copy(NamedTuple):
    """A file that holds what another one holds.   of: the inode of that.   size, changed: as in a Sibling."""

    of: Inode
    size: int
    changed: int


_NOWHERE: Mapping[Inode, int] = MappingProxyType({})
_NO_COPIES: Mapping[Inode, Copy] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Log:
    """live: the path of its live file.   chain: its open generations.

    copies: files that hold what another one holds, by inode.   is_chain: whether its generations have an order.
    _sizes: of each that waits, how much those before it had when it was first asked whether it may begin.
    """

    live: str
    chain: list[Generation] = field(default_factory=list)
    copies: Mapping[Inode, Copy] = field(default_factory=lambda: _NO_COPIES)
    is_chain: bool = False
    _sizes: dict[Generation, dict[Generation, int]] = field(default_factory=dict)
    _unknown: Sequence[int] = ()
    _places: Mapping[Inode, int] = field(default_factory=lambda: _NOWHERE)

    @property
    def is_unclear(self) -> bool:
        """Whether it is not known yet what some of its files are."""
        return bool(self._unknown)

    def may_begin(self, generation: Generation) -> bool:
        """Whether all has been read that came before it, as far as that went when it was met.

        Late lines of a writer that goes on with a renamed file hold up nothing. While it is not known where one stands
        whose file was rewritten, nothing begins.
        """
        if any(each.rewritten_at is not None for each in self.chain):
            return False
        place = self._places.get(generation.inode, len(self._places))
        if any(each < place for each in self._unknown):
            return False
        sizes = self._sizes.setdefault(generation, {})
        for each in self.before(generation):
            if each not in sizes:
                sizes[each] = each.size_now()
            if not each.is_through(sizes[each]):
                return False
        del self._sizes[generation]
        return True

    def before(self, generation: Generation) -> list[Generation]:
        """Those that came before it."""
        return self.chain[: self.chain.index(generation)]

    def arrange(self, standing: Sequence[Sibling], unknown: set[Inode]) -> None:
        """Put the chain into the order of these files, of which some are not known yet.

        What stands nowhere has the place of its copy; without one it stays before all that came behind it.
        """
        places = {each.inode: place for place, each in enumerate(standing)}
        copied = {copy.of: places[inode] for inode, copy in self.copies.items() if inode in places}
        order: dict[Generation, int] = {}
        first_behind = len(places)
        for each in reversed(self.chain):
            place = first_behind
            if not each.is_rewritten:
                place = places.get(each.inode, copied.get(each.inode, first_behind))
            order[each], first_behind = place, min(place, first_behind)
        self.chain.sort(key=order.__getitem__)
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
        self._sizes.pop(generation, None)
