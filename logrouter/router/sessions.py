"""Work that goes on across sessions: connect, work, and when the broker or a destination fails, connect again."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable

from logrouter.broker.contract import Broker, Session
from logrouter.errors import BrokerError, Retry
from logrouter.observe.events import COMMIT_FAILING, Condition
from logrouter.waiting import wait

Work = Callable[[Session], Awaitable[None]]
"""What is done on one session: returns when it is done for good, raises when the session is of no more use."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
"""Seconds between two tries to reach the broker."""


async def on_sessions(broker: Broker, work: Work, stop: asyncio.Event, unreachable: Condition) -> None:
    """Run `work` on one session after another until it returns, or `stop` is set.

    unreachable: said while there is none; several works may share it.
    """
    pause = _FIRST_PAUSE
    while not stop.is_set():
        began = time.monotonic()
        try:
            async with broker.session() as session:
                unreachable.end(broker=broker.name)
                await work(session)
                return
        except BrokerError as error:
            unreachable.begin(broker=broker.name, reason=error)
        except (Retry, sqlite3.Error) as error:
            COMMIT_FAILING.happened(reason=error)
        if time.monotonic() - began > _LONGEST_PAUSE:
            pause = _FIRST_PAUSE
        await wait(stop, pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
