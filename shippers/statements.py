"""Publishes the statements of a shipper: how far each source is, and what the shipper had to give up.

A statement names all sources when a session begins, and then, each minute and at the end, those that have changed. It
goes to the exchange of reports. A statement that is refused hinders nothing else.
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
"""The most sources in one statement. They take some 250 KB, which is below the limits of the broker and the router."""

_LAST_SECONDS = 5.0
"""Seconds to wait for the confirm of the last statement."""


@dataclass(frozen=True, slots=True)
class ShipperReporter:
    """The shipper as its statements name it.

    identity: the id of the state directory.   config: a hash of the inputs.   started: Unix time of the process.
    """

    identity: str
    host: str
    config: str
    started: float = field(default_factory=time.time)


def config_hash(inputs: Sequence[Input]) -> str:
    """Return a short hash of the inputs. Shippers with different inputs have different hashes."""
    return hashlib.sha256(repr(inputs).encode(errors="surrogateescape")).hexdigest()[:12]


def _amounts() -> dict[str, float]:
    """Return the counters of amounts (bytes, datagrams, messages, redactions); `events.counts` has only occurrences."""
    found = {"unread bytes": metrics.UNREAD, "kernel drops": metrics.KERNEL_DROPS, "shed": metrics.SHED}
    found["cut messages"] = metrics.CUT
    redacted = {f"redacted {kind}": float(count) for kind, count in metrics.by_label(metrics.REDACTED).items()}
    return {name: float(sum(metrics.by_label(counter).values())) for name, counter in found.items()} | redacted


class Statements:
    """The statements of one session. refused: holds while statements are refused. It outlives the session."""

    def __init__(
        self, session: Session, files: Files, reporter: ShipperReporter, lease: Lease, refused: Condition
    ) -> None:
        self._lease = lease
        self._gone: list[Gone] = []
        self._due = asyncio.Event()
        self._session = session
        self._files = files
        self.reporter = reporter
        self._refused = refused
        self._stated: dict[str, SourceStatement] = {}
        self._lock = asyncio.Lock()

    async def keep(self, stop: asyncio.Event) -> None:
        """Publish statements until `stop` is set or the session is lost."""
        while not stop.is_set() and await self._publish(final=False):
            self._due.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await wait_for_any(stop, self._due)

    def repeat(self) -> None:
        """Publish a statement of all sources at once, because a router may have missed earlier ones."""
        self._stated = {}
        self._due.set()

    def lost(self, gone: Gone) -> None:
        """Publish a statement at once that says that `gone` cannot be read any more."""
        self._gone.append(gone)
        self._due.set()

    async def last(self) -> None:
        """Publish the final statement. Give up after 5 seconds."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._publish(final=True)
        except TimeoutError:
            return  # the next process states the same

    async def _publish(self, *, final: bool) -> bool:
        """Publish a statement. Report whether another may follow, that is, whether the session lives.

        The lock makes the final statement the last one, with all that was not stated before.
        """
        async with self._lock:
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
            return True  # nobody listens now; the next statement repeats all of it
        except SessionLost:
            return False
        except BrokerError as error:
            self._refused.begin(reason=error, remedy=error.remedy or "check that exchange")
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
