"""Runs work on one session after another: connects again when the broker or a destination fails."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from logrouter.broker.contract import Broker, Session
from logrouter.errors import BrokerError, Forbidden, Retry
from logrouter.observability.conditions import Condition
from logrouter.observability.events import BROKER_ALLOWED, BROKER_FORBIDDEN, COMMIT_FAILING
from logrouter.support.aio import wait
from logrouter.support.backoff import Backoff

Work = Callable[[Session], Awaitable[None]]
"""Work on one session. It returns when all work is done, and raises when it needs another session."""

_BACKOFF = Backoff(0.2, 15.0)
"""Seconds between two tries to reach the broker."""

_ALLOWED_SECONDS = 5.0
"""Seconds without a refusal after which the user is taken to have the rights."""


class _Rights:
    """The refusals of a broker to its user. Each is reported once, until another follows or the broker allows it."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._refused = ""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Report a refusal within the block, and raise it again."""
        allowed = asyncio.get_running_loop().call_later(_ALLOWED_SECONDS, self._allow)
        try:
            yield
        except Forbidden as error:
            if str(error) != self._refused:
                BROKER_FORBIDDEN.happened(broker=self._broker, reason=error, remedy=error.remedy)
            self._refused = str(error)
            raise
        finally:
            allowed.cancel()

    def _allow(self) -> None:
        if self._refused:
            BROKER_ALLOWED.happened(broker=self._broker)
        self._refused = ""


async def run_on_sessions(broker: Broker, work: Work, stop: asyncio.Event, unreachable: Condition) -> None:
    """Run `work` on one session after another until it returns, or `stop` is set.

    unreachable: the condition that the broker cannot be reached. Several calls may share it.
    """
    failures, rights = 0, _Rights(broker.name)
    while not stop.is_set():
        began = time.monotonic()
        try:
            async with broker.session() as session:
                unreachable.end(broker=broker.name)
                with rights.watched():
                    await work(session)
                return
        except Forbidden:
            pass  # `watched` has reported it, and the broker is reachable
        except BrokerError as error:
            unreachable.begin(broker=broker.name, reason=error)
        except (Retry, sqlite3.Error) as error:
            COMMIT_FAILING.happened(reason=error)
        failures = 1 if time.monotonic() - began > _BACKOFF.longest else failures + 1
        await wait(stop, _BACKOFF.pause(failures))
