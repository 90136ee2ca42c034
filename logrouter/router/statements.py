"""Saves the statements of shippers and routers to the ledger for the audit, and publishes the router's own each minute.

A statement is acknowledged when it is in the ledger, which keeps the last one of each process.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from logrouter import __version__
from logrouter.broker.contract import Delivery, Queue, QueueKind, Session
from logrouter.ledger.ledger import INGRESS, Ledger, LedgerEntry
from logrouter.observability import events, metrics
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.delivery_batch import some
from logrouter.router.handoff import hand_off
from logrouter.router.lineage import MAIN, Lineage
from logrouter.router.ownership import source_in_branch
from logrouter.router.resend_requests import note
from logrouter.router.retransmission import BARRIER, Inherited, Losses, Shipper
from logrouter.support.aio import wait_for_any
from logrouter.support.terminal import encodable
from logrouter.wire.message import Message
from logrouter.wire.probe import is_probe
from logrouter.wire.routing_key import dead, ingress
from logrouter.wire.session import decoded
from logrouter.wire.statement import EXCHANGE, ROUTER, SHIPPER, SourceStatement, Statement, from_message, to_message

_EVERY = 60.0
"""Seconds between two statements of the router."""

_PREFETCH, _BUDGET = 10, 8 << 20
"""The most statements, and bytes of statements, that are unacknowledged at a time."""

_AT_ONCE = 20_000
"""The most sources of statements in one transaction, because nothing else is committed meanwhile."""

_PATIENCE = 0.2
"""Seconds without a statement after which none is left, once the router is stopping."""


@dataclass(frozen=True, slots=True)
class RouterReporter:
    """What a router states about itself. config: a hash of its rules.   started: Unix time."""

    instance: str
    config: str = ""
    started: float = field(default_factory=time.time)

    @property
    def queue(self) -> Queue:
        """The queue that receives statements."""
        return Queue(f"{ingress(self.instance)}.reports", QueueKind.HANDOFF)

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters, for messages that are not statements."""
        return DeadLetters(dead(self.instance))

    def statement(self, *, final: bool) -> Statement:
        """Return the router's statement as of now. final: whether it is the last of this process."""
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


class _Heard(NamedTuple):
    """A statement, and the sources that its life has inherited and that are not complete here."""

    statement: Statement
    inherited: Sequence[Inherited]


async def report(
    session: Session,
    reporter: RouterReporter,
    ledger: Ledger,
    retransmission: Losses,
    *,
    stop: asyncio.Event,
    drain: asyncio.Event,
) -> None:
    """Save and publish statements until `stop` is set, or, after `drain` is set, until none is left.

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
            for each in (each for each in kept if each.statement.kind == SHIPPER):
                await _compare(session, reporter, ledger, retransmission, each)
            # Before the acknowledgement, because only one statement gives the position at which a source was first met.
            await note(retransmission, ledger)
            await consumer.ack(deliveries)
            # The router's own final statement comes behind all others that were in the queue.
            is_all = last is not None and (not deliveries or any(each.statement == last for each in kept))
            if is_all and (stop.is_set() or not await session.depth(reporter.queue.name)):
                return
    finally:
        ending.cancel()
        await consumer.close()


async def _compare(
    session: Session, reporter: RouterReporter, ledger: Ledger, retransmission: Losses, heard: _Heard
) -> None:
    """Find what a shipper states as confirmed and that has not come, and send a barrier to check it."""
    statement, inherited = heard
    for gone in statement.gone:
        retransmission.is_gone(gone.source, gone.ranges, time.time())
    shipper = Shipper(statement.host, statement.reporter)
    for each in (*statement.sources, *(each.stated for each in inherited)):
        retransmission.belongs(each.source, shipper)
    lagging = await asyncio.to_thread(_lagging, ledger, statement.sources)
    behind = {each.source for each in lagging}
    retransmission.heard((each for each in statement.sources if each.source not in behind), time.time())
    if lagging or inherited:
        barrier = retransmission.stated(lagging, inherited)
        await session.publish("", Message(key=ingress(reporter.instance), body=b"", type=BARRIER, message_id=barrier))


def _lagging(ledger: Ledger, sources: Sequence[SourceStatement]) -> list[SourceStatement]:
    """Return the sources of which something that was confirmed is not in the ledger."""
    return [each for each in sources if not ledger.extents(INGRESS, each.source).covers(each.start, each.confirmed)]


def _heard(statement: Statement, ledger: Ledger) -> _Heard:
    """Return a statement with the names that its sources have here, and the incomplete sources that its life inherited.

    In a further life of its state directory a source begins with the first position that came of it, where that life
    separated from the others. The life that shipped what is before that may never state it again, so what this one
    states as confirmed there is compared as inherited.
    """
    branch = Lineage(ledger.life).branch(decoded(statement.session)) if statement.session else MAIN
    if branch == MAIN:
        return _Heard(statement, [])
    sources, inherited = [], []
    for each in statement.sources:
        further = Inherited(each, source_in_branch(each.source, branch))
        own = ledger.extents(INGRESS, further.own)
        if own:
            sources.append(_own_part(each, further.own, own.start))
        if not ledger.extents_of_lives(each.source).covers(each.start, further.end(own)):
            inherited.append(further)
    gone = [msgspec.structs.replace(each, source=source_in_branch(each.source, branch)) for each in statement.gone]
    return _Heard(msgspec.structs.replace(statement, sources=sources, gone=gone), inherited)


def _own_part(source: SourceStatement, name: str, begin: int) -> SourceStatement:
    """Return the statement of a source for one life, which has it from `begin` on.

    Its number of lines is known only if the life has all of it.
    """
    if begin <= source.start:
        return msgspec.structs.replace(source, source=name)
    confirmed = max(source.confirmed, begin)
    read = max(source.read, confirmed)
    return msgspec.structs.replace(
        source, source=name, start=begin, confirmed=confirmed, read=read, lines=0, by_line=False
    )


async def _keep(
    session: Session, reporter: RouterReporter, ledger: Ledger, deliveries: Sequence[Delivery]
) -> list[_Heard]:
    """Save the statements among these deliveries to the ledger, and return them. Others go to the dead letters."""
    kept: list[_Heard] = []
    for delivery in deliveries:
        if is_probe(delivery.message):
            continue  # a probe comes here only by the binding of an older router, which received everything
        try:
            kept.append(await asyncio.to_thread(_heard, from_message(delivery.message), ledger))
        except Exception as error:  # noqa: BLE001  # anybody can publish, so a message can fail in any way
            await hand_off(session, reporter.dead_letters.letter(delivery.message, error))
    for statements in _portions(each.statement for each in kept):
        await asyncio.to_thread(ledger.commit, LedgerEntry(statements=statements))
    return kept


def _portions(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Split statements into the portions that are committed in one transaction each."""
    portion: list[Statement] = []
    for each in statements:
        if portion and sum(len(other.sources) for other in (*portion, each)) > _AT_ONCE:
            yield portion
            portion = []
        portion.append(each)
    if portion:
        yield portion
