"""What waits for a destination that was set aside -> the destination, until it has caught up.

In come windows in their order, out they go in commits of their own, tried again with growing pauses while the
destination is stuck. When nothing waits any more it is inline again.
"""

from __future__ import annotations

import asyncio
import sqlite3

from logrouter.errors import Retry
from logrouter.router.commit import Commits
from logrouter.support.aio import wait

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0


async def catch_up(name: str, commits: Commits, stop: asyncio.Event) -> None:
    """Write what waits for `name` until nothing does, or `stop` is set."""
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            if await commits.take_back(name):
                return
            await commits.commit_aside(name)
            pause = _FIRST_PAUSE
        except (Retry, sqlite3.Error):
            await wait(stop, pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
