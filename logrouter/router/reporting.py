"""Statements of shippers and routers -> the ledger, where audit finds them; and the router's own, each minute.

In come messages from the exchange of reports; what each process last said is kept in the ledger before its statement is
acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from logrouter import __version__
from logrouter.broker.contract import Delivery, Queue, QueueKind, Session
from logrouter.errors import WireError
from logrouter.ledger.ledger import Entry, Ledger
from logrouter.observe import events, metrics
from logrouter.router.deliveries import some
from logrouter.router.handoff import sent_to
from logrouter.statement import EXCHANGE, ROUTER, Statement, from_message, to_message
from logrouter.waiting import wait_for_any

_EVERY = 60.0
"""Seconds between two statements of the router."""

_PREFETCH = 10
"""Statements in hand at most, each of up to some MiB."""

_AT_ONCE = 20_000
"""Sources of statements in one transaction: nothing else is committed meanwhile."""

_PATIENCE = 0.2
"""Seconds without a statement after which, when it is to end, none is left."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """The router as it speaks of itself. config: a hash of its rules.   started: Unix time."""

    instance: str
    config: str = ""
    started: float = field(default_factory=time.time)

    @property
    def queue(self) -> Queue:
        """Where statements come in."""
        return Queue(f"logrouter.{self.instance}.reports", QueueKind.HANDOFF)

    @property
    def dead(self) -> str:
        """Where those go that are none."""
        return f"logrouter.{self.instance}.dead"

    def statement(self, *, final: bool) -> Statement:
        """What there is to say now."""
        decided = {f"to {name}": float(count) for name, count in metrics.by_label(metrics.DECIDED).items()}
        return Statement(
            kind=ROUTER,
            reporter=f"{self.instance}@{socket.gethostname()}",
            host=socket.gethostname(),
            version=__version__,
            config=self.config,
            started=self.started,
            at=time.time(),
            final=final,
            counted=events.counts() | decided,
        )


async def report(
    session: Session, reporter: Reporter, ledger: Ledger, stop: asyncio.Event, drain: asyncio.Event
) -> None:
    """Keep and make statements until `stop` is set, or once `drain` is, none is left.

    Raises BrokerError, sqlite3.Error.
    """
    consumer = await session.consume(reporter.queue.name, prefetch=_PREFETCH)
    coming = aiter(consumer)
    due, last = 0.0, None
    ending = asyncio.create_task(wait_for_any(stop, drain))
    try:
        while True:
            if time.monotonic() >= due or (ending.done() and last is None):
                statement = reporter.statement(final=ending.done())
                await session.publish(EXCHANGE, to_message(statement, f"{ROUTER}.{reporter.instance}"))
                due, last = time.monotonic() + _EVERY, statement if statement.final else None
            patience = _PATIENCE if last else due - time.monotonic()
            deliveries = await some(coming, consumer, patience, *(() if last else (ending,)))
            kept = await _keep(session, reporter, ledger, deliveries)
            await consumer.ack(deliveries)
            # Its own last one comes behind all that were in the queue.
            is_all = last is not None and (last in kept or not deliveries)
            if is_all and (stop.is_set() or not await session.depth(reporter.queue.name)):
                return
    finally:
        ending.cancel()
        await consumer.close()


async def _keep(
    session: Session, reporter: Reporter, ledger: Ledger, deliveries: Sequence[Delivery]
) -> list[Statement]:
    """Make the statements among these durable, and say which they are."""
    kept: list[Statement] = []
    for delivery in deliveries:
        try:
            kept.append(from_message(delivery.message))
        except WireError as error:
            await session.publish("", sent_to(reporter.dead, delivery.message, reason=str(error)))
            events.DEAD_LETTER.happened(key=delivery.message.key, queue=reporter.dead, reason=error)
            metrics.DEAD.labels(reporter.dead).inc()
    for statements in _portions(kept):
        await asyncio.to_thread(ledger.commit, Entry(statements=statements))
    return kept


def _portions(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Those that go into a transaction together."""
    portion: list[Statement] = []
    for each in statements:
        if portion and sum(len(other.sources) for other in (*portion, each)) > _AT_ONCE:
            yield portion
            portion = []
        portion.append(each)
    if portion:
        yield portion
