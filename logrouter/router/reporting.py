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

import msgspec

from logrouter import __version__
from logrouter.broker.contract import Delivery, Queue, QueueKind, Session
from logrouter.keys import dead, ingress
from logrouter.ledger.ledger import INGRESS, Entry, Ledger
from logrouter.message import Message
from logrouter.observe import events, metrics
from logrouter.printable import encodable
from logrouter.probe import is_probe
from logrouter.router.asking import note
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.deliveries import some
from logrouter.router.handoff import hand_off
from logrouter.router.lineage import MAIN, Lineage
from logrouter.router.ownership import of_branch
from logrouter.router.retransmission import BARRIER, Retransmission, Shipper
from logrouter.session import decoded
from logrouter.statement import EXCHANGE, ROUTER, SHIPPER, SourceStatement, Statement, from_message, to_message
from logrouter.waiting import wait_for_any

_EVERY = 60.0
"""Seconds between two statements of the router."""

_PREFETCH, _BUDGET = 10, 8 << 20
"""Statements, and bytes of them, in hand at most."""

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
        return Queue(f"{ingress(self.instance)}.reports", QueueKind.HANDOFF)

    @property
    def dead_letters(self) -> DeadLetters:
        """Where those go that are none."""
        return DeadLetters(dead(self.instance))

    def statement(self, *, final: bool) -> Statement:
        """What there is to say now."""
        decided = {f"to {name}": float(count) for name, count in metrics.by_label(metrics.DECIDED).items()}
        host = encodable(socket.gethostname())
        return Statement(
            kind=ROUTER,
            reporter=f"{self.instance}@{host}",
            host=host,
            version=__version__,
            config=self.config,
            started=self.started,
            at=time.time(),
            final=final,
            counted=events.counts() | decided,
        )


async def report(
    session: Session,
    reporter: Reporter,
    ledger: Ledger,
    retransmission: Retransmission,
    *,
    stop: asyncio.Event,
    drain: asyncio.Event,
) -> None:
    """Keep and make statements until `stop` is set, or once `drain` is, none is left.

    Raises BrokerError, sqlite3.Error.
    """
    consumer = await session.consume(reporter.queue.name, prefetch=_PREFETCH, budget=_BUDGET)
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
            for each in (each for each in kept if each.kind == SHIPPER):
                await _compare(session, reporter, ledger, retransmission, each)
            await note(retransmission, ledger)  # where a source stood when it was first heard of is told but once
            await consumer.ack(deliveries)
            # Its own last one comes behind all that were in the queue.
            is_all = last is not None and (last in kept or not deliveries)
            if is_all and (stop.is_set() or not await session.depth(reporter.queue.name)):
                return
    finally:
        ending.cancel()
        await consumer.close()


async def _compare(
    session: Session, reporter: Reporter, ledger: Ledger, retransmission: Retransmission, statement: Statement
) -> None:
    """Find what a shipper says to be confirmed and that has not come."""
    for gone in statement.gone:
        retransmission.is_gone(gone.source, gone.ranges, time.time())
    for each in statement.sources:
        retransmission.belongs(each.source, Shipper(statement.host, statement.reporter))
    lagging = await asyncio.to_thread(_lagging, ledger, statement.sources)
    behind = {each.source for each in lagging}
    retransmission.heard((each for each in statement.sources if each.source not in behind), time.time())
    if lagging:
        barrier = retransmission.stated(statement, lagging)
        await session.publish("", Message(key=ingress(reporter.instance), body=b"", type=BARRIER, message_id=barrier))


def _lagging(ledger: Ledger, sources: Sequence[SourceStatement]) -> list[SourceStatement]:
    """The sources of which something confirmed is not in the ledger."""
    return [each for each in sources if not ledger.extents(INGRESS, each.source).covers(each.start, each.confirmed)]


def _of_its_life(statement: Statement, ledger: Ledger) -> Statement:
    """A statement with the names that its sources have here.

    Where its state directory was copied or set back, nothing is known of what its sources had before that: such a
    source is held against its own gaps alone.
    """
    branch = Lineage(ledger.life).branch(decoded(statement.session)) if statement.session else MAIN
    if branch == MAIN:
        return statement
    named = [msgspec.structs.replace(each, source=of_branch(each.source, branch)) for each in statement.sources]
    return msgspec.structs.replace(
        statement,
        sources=[each for each in named if ledger.extents(INGRESS, each.source).covers(each.start, each.start + 1)],
        gone=[msgspec.structs.replace(each, source=of_branch(each.source, branch)) for each in statement.gone],
    )


async def _keep(
    session: Session, reporter: Reporter, ledger: Ledger, deliveries: Sequence[Delivery]
) -> list[Statement]:
    """Make the statements among these durable, and say which they are."""
    kept: list[Statement] = []
    for delivery in deliveries:
        if is_probe(delivery.message):
            continue  # it came by the binding of an older router, which took everything
        try:
            kept.append(_of_its_life(from_message(delivery.message), ledger))
        except Exception as error:  # noqa: BLE001  # anybody may have written it
            await hand_off(session, reporter.dead_letters.letter(delivery.message, error))
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
