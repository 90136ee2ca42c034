"""Work that goes on across sessions: connect, work, and when the broker or a destination fails, connect again."""

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
"""What is done on one session: returns when it is done for good, raises when the session is of no more use."""

_BACKOFF = Backoff(0.2, 15.0)
"""Seconds between two tries to reach the broker."""

_ALLOWED_SECONDS = 5.0
"""After so long without a refusal the rights are taken to be there."""


class _Rights:
    """What a broker refuses its user: said once, and again where it is something else; and when it is no more."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._refused = ""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say what is refused meanwhile, and raise it."""
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


async def on_sessions(broker: Broker, work: Work, stop: asyncio.Event, unreachable: Condition) -> None:
    """Run `work` on one session after another until it returns, or `stop` is set.

    unreachable: said while there is none; several works may share it.
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
            pass  # said by then, and no loss of the broker
        except BrokerError as error:
            unreachable.begin(broker=broker.name, reason=error)
        except (Retry, sqlite3.Error) as error:
            COMMIT_FAILING.happened(reason=error)
        failures = 1 if time.monotonic() - began > _BACKOFF.longest else failures + 1
        await wait(stop, _BACKOFF.pause(failures))
