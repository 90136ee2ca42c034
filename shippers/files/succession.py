"""Finds the generation of a log that came before another one, whether it is open, closed or gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from shippers.files.checkpoint import Checkpoint
from shippers.files.generation import Generation
from shippers.files.rotation import Sibling
from shippers.files.tree import Inode


class Predecessor(NamedTuple):
    """The generation before another one. since: when it was first followed.   reached: up to where it was read.

    is_lost: it is gone and nothing of it was confirmed, so a router may never have heard of it.
    """

    since: float
    source: str
    reached: int
    is_lost: bool = False


def predecessor(
    generation: Generation,
    opened: Iterable[Generation],
    closed: Iterable[Checkpoint],
    standing: Mapping[Inode, Sibling],
) -> Predecessor | None:
    """Return the newest earlier generation that had content, or None if there is none.

    opened: those before it in the chain.   closed: those of its log that are not open.
    standing: the files of its log, oldest first. A generation in none of these is placed by the time it was followed.
    Lost generations count only if there are no others.
    """
    places = {inode: place for place, inode in enumerate(standing)}
    own = places.get(generation.inode, len(places))
    placed: list[tuple[int, Predecessor]] = []
    absent: list[Predecessor] = []
    candidates = [*_opened(opened), *_closed(closed, standing)]
    for inode, each in [known for known in candidates if not known[1].is_lost] or candidates:
        place = places.get(inode) if inode is not None else None
        if place is not None:
            placed.append((place, each))
        elif each.since < generation.since:
            absent.append(each)
    before = [each for each in placed if each[0] < own]
    return max([max(before)[1], *absent] if before else absent, default=None)


def _opened(those: Iterable[Generation]) -> Iterator[tuple[Inode | None, Predecessor]]:
    """Yield the generations that had content, each with the inode of its file, or None if that no longer holds it."""
    for each in those:
        if each.source:
            inode = None if each.is_rewritten else each.inode
            yield inode, Predecessor(each.since, each.source, each.reader.position)


def _closed(
    those: Iterable[Checkpoint], standing: Mapping[Inode, Sibling]
) -> Iterator[tuple[Inode | None, Predecessor]]:
    """Yield the generations that had content, each with the inode of its file, or None if that no longer holds it."""
    for each in those:
        if each.source:
            inode = (each.device, each.inode) if each.rests_in(standing) else None
            yield inode, Predecessor(each.since, each.source, each.confirmed, is_lost=each.done and not each.confirmed)
