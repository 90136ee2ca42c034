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
from logrouter.support.backoff import Backoff

_BACKOFF = Backoff(1.0, 15.0)


async def catch_up(name: str, commits: Commits, stop: asyncio.Event) -> None:
    """Write what waits for `name` until nothing does, or `stop` is set."""
    failures = 0
    while not stop.is_set():
        try:
            if await commits.take_back(name):
                return
            await commits.commit_aside(name)
            failures = 0
        except (Retry, sqlite3.Error):
            failures += 1
            await wait(stop, _BACKOFF.pause(failures))
