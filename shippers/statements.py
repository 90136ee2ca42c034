"""What a shipper says of itself: how far each source is, and what it had to give up.

In comes the state of its files, out go statements on the exchange of reports: all sources when a session begins, then
each minute those that have changed, and a last one at the end. One that is refused hinders nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from logrouter import __version__
from logrouter.broker.contract import Session
from logrouter.errors import BrokerError, PublishRefused, SessionLost, Unroutable
from logrouter.keys import word
from logrouter.observe import events, metrics
from logrouter.statement import EXCHANGE, SHIPPER, SourceStatement, Statement, to_message
from logrouter.waiting import wait
from shippers.input import Input
from shippers.inputs.files import Files

_EVERY = 60.0
"""Seconds between two statements."""

_AT_ONCE = 1000
"""Sources in a statement at most: some 250 KB, and never more than the broker or a router takes."""

_LAST_SECONDS = 5.0
"""For the last one to be confirmed."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who makes statements. identity: of the state directory.   started: Unix time of the process."""

    identity: str
    host: str
    config: str
    started: float = field(default_factory=time.time)


def config_hash(inputs: Sequence[Input]) -> str:
    """Differs where shippers were told to follow different things."""
    return hashlib.sha256(repr(inputs).encode(errors="surrogateescape")).hexdigest()[:12]


def _amounts() -> dict[str, float]:
    """What is counted by more than how often it happened."""
    found = {"unread bytes": metrics.UNREAD, "kernel drops": metrics.KERNEL_DROPS, "shed": metrics.SHED}
    found["cut messages"] = metrics.CUT
    redacted = {f"redacted {kind}": float(count) for kind, count in metrics.by_label(metrics.REDACTED).items()}
    return {name: float(sum(metrics.by_label(counter).values())) for name, counter in found.items()} | redacted


class Statements:
    """The statements of one session. refused: whether the broker refuses them, over all sessions."""

    def __init__(self, session: Session, files: Files, reporter: Reporter, refused: events.Condition) -> None:
        self._session = session
        self._files = files
        self._reporter = reporter
        self._refused = refused
        self._stated: dict[str, SourceStatement] = {}

    async def keep(self, stop: asyncio.Event) -> None:
        """Make statements until `stop` is set, or the session is lost."""
        while not stop.is_set() and await self._publish(final=False):
            await wait(stop, _EVERY)

    async def last(self) -> None:
        """Make the last one."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._publish(final=True)
        except TimeoutError:
            return  # the next process says the same

    async def _publish(self, *, final: bool) -> bool:
        """Whether there may be another."""
        standings = {each.source: each for each in self._files.standings()}
        changed = [each for each in standings.values() if self._stated.get(each.source) != each]
        try:
            if not await self._session.exchange_exists(EXCHANGE):  # to ask takes no right, to declare does
                await self._session.declare_exchange(EXCHANGE)
            while len(changed) > _AT_ONCE:
                await self._send(changed[:_AT_ONCE], final=False)
                del changed[:_AT_ONCE]
            await self._send(changed, final=final)
        except (Unroutable, PublishRefused):
            return True  # nobody listens now: the next one says all of it again
        except SessionLost:
            return False
        except BrokerError as error:
            self._refused.begin(reason=error, remedy=error.remedy or "look at that exchange")
            return True
        self._refused.end()
        self._stated = standings
        self._files.gone.forget(standings)
        return True

    async def _send(self, sources: list[SourceStatement], *, final: bool) -> None:
        statement = Statement(
            kind=SHIPPER,
            reporter=self._reporter.identity,
            host=self._reporter.host,
            version=__version__,
            config=self._reporter.config,
            started=self._reporter.started,
            at=time.time(),
            final=final,
            sources=sources,
            counted=events.counts() | _amounts(),
        )
        message = to_message(statement, f"{SHIPPER}.{word(self._reporter.host)}")
        await self._session.publish(EXCHANGE, message, apart=True)
