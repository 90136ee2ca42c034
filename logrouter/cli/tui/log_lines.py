"""Shows a running `up` in a log: a summary when something changed, and a last one at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from logrouter.cli.tui import summary
from logrouter.cli.tui.summary import Places, Snapshot
from logrouter.observability import events
from logrouter.support.aio import wait

_LOG_SECONDS = 10.0
"""Shortest time between two summaries."""

Take = Callable[[], Snapshot]


class Show(Protocol):
    """A way to show the state of `up` until `stop` is set."""

    async def __call__(self, take: Take, places: Places, stop: asyncio.Event) -> None:
        """Show the snapshots of `take`, and a last one when `stop` is set."""


async def log(take: Take, places: Places, stop: asyncio.Event) -> None:
    """Log a summary when one is due, and a last one when `stop` is set."""
    last = Snapshot()
    while not stop.is_set():
        await wait(stop, _LOG_SECONDS)
        now = take()
        if not stop.is_set() and summary.is_due(last, now):
            last = now
            events.UP_SUMMARY.happened(summary=summary.sentence(now, places))
    close(take, places)


async def close_only(take: Take, places: Places, stop: asyncio.Event) -> None:
    """Log only the last summary."""
    await stop.wait()
    close(take, places)


def close(take: Take, places: Places) -> None:
    """Log the last summary: what was done, and where the results are."""
    events.UP_SUMMARY.happened(summary=summary.closing(take(), places))
