"""What a shipper says of itself: how far each source is, and what it had to give up.

In comes the state of its files, out go statements on the exchange of reports: all sources when a session begins, then
each minute those that have changed, and a last one at the end. One that is refused hinders nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from logrouter import __version__
from logrouter.broker.contract import Session
from logrouter.errors import BrokerError, NotFound, PublishRefused, SessionLost, Unroutable
from logrouter.observability import events, metrics
from logrouter.observability.conditions import Condition
from logrouter.support.aio import wait_for_any
from logrouter.wire.routing_key import word
from logrouter.wire.statement import EXCHANGE, SHIPPER, Gone, SourceStatement, Statement, to_message
from shippers.files.follow import Files
from shippers.input import Input
from shippers.lease import Lease

_EVERY = 60.0
"""Seconds between two statements."""

_AT_ONCE = 1000
"""Sources in a statement at most: some 250 KB, and never more than the broker or a router takes."""

_LAST_SECONDS = 5.0
"""For the last one to be confirmed."""


@dataclass(frozen=True, slots=True)
class ShipperReporter:
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
    """The statements of one session. reporter: who makes them."""

    def __init__(
        self, session: Session, files: Files, reporter: ShipperReporter, lease: Lease, refused: Condition
    ) -> None:
        self._lease = lease
        self._gone: list[Gone] = []
        self._said = asyncio.Event()
        self._session = session
        self._files = files
        self.reporter = reporter
        self._refused = refused
        self._stated: dict[str, SourceStatement] = {}
        self._one = asyncio.Lock()

    async def keep(self, stop: asyncio.Event) -> None:
        """Make statements until `stop` is set, or the session is lost."""
        while not stop.is_set() and await self._publish(final=False):
            self._said.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await wait_for_any(stop, self._said)

    def repeat(self) -> None:
        """Say how far all sources are with the next statement, made at once: somebody may have missed the last ones."""
        self._stated = {}
        self._said.set()

    def lost(self, gone: Gone) -> None:
        """Say with the next statement, made at once, that this cannot be read any more."""
        self._gone.append(gone)
        self._said.set()

    async def last(self) -> None:
        """Make the last one."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._publish(final=True)
        except TimeoutError:
            return  # the next process says the same

    async def _publish(self, *, final: bool) -> bool:
        """Whether there may be another. One at a time, so that the last one is the last, and says what was not said."""
        async with self._one:
            return await self._publish_next(final=final)

    async def _publish_next(self, *, final: bool) -> bool:
        standings = {each.source: each for each in self._files.standings()}
        gone = self._gone[:]
        changed = [each for each in standings.values() if self._stated.get(each.source) != each]
        try:
            while len(changed) > _AT_ONCE:
                await self._send(changed[:_AT_ONCE], [], final=False)
                del changed[:_AT_ONCE]
            await self._send(changed, gone, final=final)
        except (Unroutable, PublishRefused):
            return True  # nobody listens now: the next one says all of it again
        except SessionLost:
            return False
        except BrokerError as error:
            self._refused.begin(reason=error, remedy=error.remedy or "look at that exchange")
            return True
        self._refused.end()
        self._stated = standings
        del self._gone[: len(gone)]
        self._files.gone.forget(standings)
        return True

    async def _send(self, sources: list[SourceStatement], gone: list[Gone], *, final: bool) -> None:
        statement = Statement(
            kind=SHIPPER,
            reporter=self.reporter.identity,
            host=self.reporter.host,
            version=__version__,
            config=self.reporter.config,
            started=self.reporter.started,
            at=time.time(),
            final=final,
            sources=sources,
            counted=events.counts() | _amounts(),
            session=self._lease.session.encoded(),
            gone=gone,
        )
        message = to_message(statement, f"{SHIPPER}.{word(self.reporter.host)}")
        try:
            await self._session.publish(EXCHANGE, message, apart=True)
        except NotFound:
            await self._session.declare_exchange(EXCHANGE)
            await self._session.publish(EXCHANGE, message, apart=True)
