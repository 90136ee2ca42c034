"""Waiting: for an event, but not for ever; for whichever of several comes first; for tasks, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set, or after so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def wait_for_any(*events: asyncio.Event) -> None:
    """Return when at least one of `events` is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def raise_first(outcomes: Iterable[object]) -> None:
    """Raise the first exception among what `asyncio.gather` returned; a cancelled task is none."""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
