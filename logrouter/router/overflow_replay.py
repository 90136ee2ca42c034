"""Lets a destination that was set aside catch up with the windows that wait for it."""

from __future__ import annotations

import asyncio
import sqlite3

from logrouter.errors import Retry
from logrouter.router.commit import Committer
from logrouter.support.aio import wait
from logrouter.support.backoff import Backoff

_BACKOFF = Backoff(1.0, 15.0)


async def catch_up(name: str, commits: Committer, stop: asyncio.Event) -> None:
    """Write the windows that wait for `name`, in order and in commits of their own, until it is inline again.

    Failures are retried with backoff. Returns early if `stop` is set.
    """
    failures = 0
    while not stop.is_set():
        try:
            if await commits.make_inline(name):
                return
            await commits.replay(name)
            failures = 0
        except (Retry, sqlite3.Error):
            failures += 1
            await wait(stop, _BACKOFF.pause(failures))
