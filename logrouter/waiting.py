"""Waiting for events: one, but not for ever; or whichever of several comes first."""

from __future__ import annotations

import asyncio
import contextlib


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
