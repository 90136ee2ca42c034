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
    """A file with the same content as another.   of: the inode of the other.   size, changed: as in Sibling."""

    of: Inode
    size: int
    changed: int


_NOWHERE: Mapping[Inode, int] = MappingProxyType({})
_NO_COPIES: Mapping[Inode, Copy] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Log:
    """A log and the order of its generations.

    live: the path of its live file.   chain: its open generations, oldest first.
    copies: the files that are copies of others, by inode.   is_chain: whether its generations have an order.
    _sizes: for each waiting generation, the sizes of those before it when it was first asked whether it may begin.
    _unknown: the places in the order of files that are not recognised yet.   _places: of all files, if some are not.
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
        """Whether some of its files are not recognised yet."""
        return bool(self._unknown)

    def may_begin(self, generation: Generation) -> bool:
        """Report whether each generation before it is through, up to the size that it had when this was first asked.

        So late lines of a writer that still uses a renamed file delay nothing. While a rewritten generation has not
        been found in another file, nothing begins.
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
        """Return the open generations that came before it."""
        return self.chain[: self.chain.index(generation)]

    def arrange(self, standing: Sequence[Sibling], unknown: set[Inode]) -> None:
        """Sort the chain into the order of these files. unknown: the inodes of those that are not recognised yet.

        A generation whose file is gone takes the place of its copy. Without a copy it stays before all that came
        behind it.
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
        """Insert a generation: behind this one, or else before the first that was followed later."""
        place = len(self.chain)
        if behind is not None:
            place = self.chain.index(behind) + 1
        else:
            newer = (at for at, each in enumerate(self.chain) if each.since > generation.since)
            place = next(newer, place)
        self.chain.insert(place, generation)

    def remove(self, generation: Generation) -> None:
        self.chain.remove(generation)
        self._sizes.pop(generation, None)
