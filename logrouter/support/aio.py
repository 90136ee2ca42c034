"""asyncio helpers: wait for an event with a timeout, wait for any of several events, raise the first error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set, or after `seconds`."""
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
    """Raise the first exception in a result of `asyncio.gather`. Cancelled tasks are ignored."""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
