"""Which generation of a log came before another one, whether it is open, closed or gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from shippers.files.checkpoint import Checkpoint
from shippers.files.generation import Generation
from shippers.files.rotation import Sibling
from shippers.files.tree import Inode


class Predecessor(NamedTuple):
    """since: when it was first followed.   reached: up to where it was read."""

    since: float
    source: str
    reached: int


def predecessor(
    generation: Generation,
    opened: Iterable[Generation],
    closed: Iterable[Checkpoint],
    standing: Mapping[Inode, Sibling],
) -> Predecessor | None:
    """The newest one that had content; None if there is none.

    opened: those before it in the chain.   closed: those of its log that are not open.
    standing: the files of its log, oldest first. What stands nowhere has its place in time.
    """
    places = {inode: place for place, inode in enumerate(standing)}
    own = places.get(generation.inode, len(places))
    placed: list[tuple[int, Predecessor]] = []
    absent: list[Predecessor] = []
    for inode, each in (*_opened(opened), *_closed(closed, standing)):
        place = places.get(inode) if inode is not None else None
        if place is not None:
            placed.append((place, each))
        elif each.since < generation.since:
            absent.append(each)
    before = [each for each in placed if each[0] < own]
    return max([max(before)[1], *absent] if before else absent, default=None)


def _opened(those: Iterable[Generation]) -> Iterator[tuple[Inode | None, Predecessor]]:
    """Those that had content, and their files."""
    for each in those:
        if each.source:
            inode = None if each.is_rewritten else each.inode
            yield inode, Predecessor(each.since, each.source, each.reader.position)


def _closed(
    those: Iterable[Checkpoint], standing: Mapping[Inode, Sibling]
) -> Iterator[tuple[Inode | None, Predecessor]]:
    """Those that had content, and their files."""
    for each in those:
        if each.source:
            inode = (each.device, each.inode) if each.rests_in(standing) else None
            yield inode, Predecessor(each.since, each.source, each.confirmed)
