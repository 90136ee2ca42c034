"""What is seen of a running `up` in a log: a line now and then, and a closing one.

In come snapshots, out go sentences; `drawing` does the same for a terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from logrouter.cli.tui import summary
from logrouter.cli.tui.summary import Places, Snapshot
from logrouter.observability import events
from logrouter.support.aio import wait

_LOG_SECONDS = 10.0

Take = Callable[[], Snapshot]


class Show(Protocol):
    """A way to show how things are until `stop` is set."""

    async def __call__(self, take: Take, places: Places, stop: asyncio.Event) -> None:
        """Show what `take` gives, and a last time when `stop` is set."""


async def log(take: Take, places: Places, stop: asyncio.Event) -> None:
    """Logs a sentence now and then, and a closing one."""
    last = Snapshot()
    while not stop.is_set():
        await wait(stop, _LOG_SECONDS)
        now = take()
        if not stop.is_set() and summary.is_due(last, now):
            last = now
            events.UP_SUMMARY.happened(summary=summary.sentence(now, places))
    close(take, places)


async def close_only(take: Take, places: Places, stop: asyncio.Event) -> None:
    """Logs a closing sentence alone."""
    await stop.wait()
    close(take, places)


def close(take: Take, places: Places) -> None:
    """Log the last sentence: what was done, and where it is."""
    events.UP_SUMMARY.happened(summary=summary.closing(take(), places))
