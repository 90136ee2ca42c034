"""A drain: whether all is safe that the inputs hold now; and what is left of it, and why.

In come files and spools that are shipped meanwhile; out go the names of what could not be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from logrouter.waiting import wait
from shippers.inputs.content import Plain
from shippers.inputs.files import Files
from shippers.inputs.follower import TICK, Follower
from shippers.inputs.identity import shown
from shippers.inputs.spooled import Spools
from shippers.spool import Segment


async def until(holds: Callable[[], bool], over: asyncio.Event) -> None:
    """Wait until this holds, or all is over."""
    while not (over.is_set() or holds()):
        await wait(over, TICK)


async def drained(files: Files, spools: Spools, over: asyncio.Event) -> list[str]:
    """What is left when the rest is confirmed, or all is over."""
    targets = await _met(files, over)
    await until(lambda: spools.ended, over)
    held = spools.held()
    await until(lambda: all(_is_confirmed(*each) for each in held), over)
    for target in targets:  # one by one, since there may be thousands; all once more, for one may have failed then
        await until(partial(_is_through, *target), over)
    await until(lambda: all(_is_through(*target) for target in targets), over)
    unopened = set(files.notices.unreadable) - {follower.path for follower, _ in targets}
    return (
        [f"{shown(path)}: cannot be read" for path in sorted(unopened)]
        + [f"{name}: cannot be read" for name in spools.unread]
        + [
            f"{shown(follower.path)}: {_why_left(follower)}, {size - follower.chain.confirmed} bytes"
            for follower, size in targets
            if follower.chain.confirmed < size and not follower.ended
        ]
        + [
            f"{segment.path}: not confirmed, {size - segment.confirmed} bytes"
            for segment, size in held
            if not _is_confirmed(segment, size)
        ]
    )


async def _met(files: Files, over: asyncio.Event) -> list[tuple[Follower, int]]:
    """All files with their sizes; those that wait to be opened once they have been. Others that are closed are done."""
    found = [(follower, follower.size) for follower in files if follower.segment is None]
    waiting = set(files.budget.waiting)

    def are_met() -> bool:
        for inode in list(waiting):
            if (follower := files.follower_of(inode)) is not None:
                found.append((follower, follower.size))
            if follower is not None or inode not in files.budget.waiting:
                waiting.discard(inode)
        return not waiting

    await until(are_met, over)
    return found


def _is_through(follower: Follower, size: int) -> bool:
    """Whether all that a file held up to `size` is confirmed, or cannot be read now."""
    if follower.ended or follower.failing:
        return True
    is_read = follower.saved and not (follower.chain.pending or follower.waits)
    if not isinstance(follower.content, Plain):  # how much it holds is known at its end alone
        return is_read and follower.exhausted
    return follower.chain.confirmed >= size or (is_read and follower.reached >= size)


def _is_confirmed(segment: Segment, size: int) -> bool:
    return segment.confirmed >= size


def _why_left(follower: Follower) -> str:
    if follower.failing:
        return "cannot be read"
    return "last line without newline" if follower.reached > follower.chain.position else "not confirmed"
