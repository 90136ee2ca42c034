"""Waits until everything that the inputs hold now is confirmed, and names what could not be shipped, and why.

It only observes: the agent reads and publishes meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from logrouter.support.aio import wait
from shippers.files.content import Plain
from shippers.files.fingerprint import shown
from shippers.files.follow import Files
from shippers.files.generation import TICK, Generation
from shippers.spool.spool import Segment
from shippers.spool.spools import Spools


async def until(holds: Callable[[], bool], over: asyncio.Event) -> None:
    """Wait until `holds` returns true or `over` is set."""
    while not (over.is_set() or holds()):
        await wait(over, TICK)


async def drained(files: Files, spools: Spools, over: asyncio.Event) -> list[str]:
    """Wait until all that the inputs hold now is confirmed, or `over` is set. Return what is left, with the reasons."""
    targets = await _met(files, over)
    await until(lambda: spools.ended, over)
    held = spools.held()
    await until(lambda: all(_is_confirmed(*each) for each in held), over)
    for target in targets:  # one by one, because there may be thousands; then all again, because one may have failed
        await until(partial(_is_through, *target), over)
    await until(lambda: all(_is_through(*target) for target in targets), over)
    unopened = set(files.notices.unreadable) - {generation.path for generation, _ in targets}
    return (
        [f"{shown(path)}: cannot be read" for path in sorted(unopened)]
        + [f"{name}: cannot be read" for name in spools.unread]
        + [
            f"{shown(generation.path)}: {_why_left(generation)}, {size - generation.confirmed} bytes"
            for generation, size in targets
            if generation.confirmed < size and not generation.ended
        ]
        + [
            f"{segment.path}: not confirmed, {size - segment.confirmed} bytes"
            for segment, size in held
            if not _is_confirmed(segment, size)
        ]
    )


async def _met(files: Files, over: asyncio.Event) -> list[tuple[Generation, int]]:
    """Return all files with their sizes. Files that wait for a descriptor are included once they have been opened.

    All other closed files are done: a file is closed only when it is read to its end and confirmed.
    """
    found = [(generation, generation.reader.size) for generation in files if generation.segment is None]
    waiting = set(files.budget.waiting)

    def are_met() -> bool:
        for inode in list(waiting):
            if (generation := files.open_at(inode)) is not None:
                found.append((generation, generation.reader.size))
            if generation is not None or inode not in files.budget.waiting:
                waiting.discard(inode)
        return not waiting

    await until(are_met, over)
    return found


def _is_through(generation: Generation, size: int) -> bool:
    """Report whether all that a file held up to `size` is confirmed, or cannot be read now."""
    if generation.ended or generation.failing:
        return True
    is_read = generation.saved and not (generation.pending or generation.reader.waits)
    if not isinstance(generation.reader.content, Plain):  # its length is known only at its end
        return is_read and generation.reader.exhausted
    return generation.confirmed >= size or (is_read and generation.reader.reached >= size)


def _is_confirmed(segment: Segment, size: int) -> bool:
    return segment.confirmed >= size


def _why_left(generation: Generation) -> str:
    if generation.failing:
        return "cannot be read"
    return "last line without newline" if generation.reader.reached > generation.reader.position else "not confirmed"
