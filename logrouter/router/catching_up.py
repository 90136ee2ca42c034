"""The queue of a destination that was set aside -> the destination, until it has caught up.

In come the windows that waited, in their order, out they go in commits of their own; tried again with growing pauses
while the destination is stuck. When the queue is empty the destination is inline again.
"""

from __future__ import annotations

import asyncio
import sqlite3

from logrouter.broker.contract import Session
from logrouter.destinations.contract import Window
from logrouter.errors import Retry
from logrouter.faultpoint import reach
from logrouter.router.aside import Windows
from logrouter.router.commit import Commits
from logrouter.router.deliveries import some
from logrouter.waiting import wait

_PREFETCH = 64
_PATIENCE = 0.5
"""Seconds without a delivery after which the queue may be empty."""

_DROP_SECONDS = 60.0
"""For the rest of a window to come; without it the window is dropped, for it comes again another way."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0


async def catch_up(session: Session, name: str, commits: Commits, stop: asyncio.Event) -> None:
    """Write what waits for `name` until nothing does, or `stop` is set. Raises BrokerError, WireError."""
    aside = commits.aside
    consumer = await session.consume(aside.handoff(name).records, prefetch=_PREFETCH)
    coming = aiter(consumer)
    windows = Windows()
    idle = 0.0
    try:
        while not stop.is_set():
            deliveries = await some(coming, consumer, _PATIENCE)
            taken = [windows.add(delivery) for delivery in deliveries]
            settled = [delivery for _, settled in taken for delivery in settled]
            await _write(name, [window for window, _ in taken if window], commits, stop)
            if stop.is_set():
                return
            reach("aside.ack.before")
            await consumer.ack(settled)
            reach("aside.ack.after")
            idle = 0.0 if deliveries else idle + _PATIENCE
            if windows and idle > _DROP_SECONDS:
                await consumer.ack(windows.drop())
            if not deliveries and not windows and await aside.end_if_drained(session, name):
                return
    finally:
        await consumer.close()


async def _write(name: str, windows: list[Window], commits: Commits, stop: asyncio.Event) -> None:
    """Write until it is done, or `stop` is set."""
    pause = _FIRST_PAUSE
    while windows:
        try:
            await commits.commit_aside(name, windows)
        except (Retry, sqlite3.Error):
            await wait(stop, pause)
            if stop.is_set():
                return
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            return
