"""What a router declares on the broker, so that nobody sets it up by hand; and the names of it all.

In comes an instance's name and what it binds; out go exchanges, queues, the bindings between them and, last of all, the
binding that tells shippers that a router has been here.

What it cannot declare: on a cluster of RabbitMQ 4.3 a queue waits 60 s for the consumer of a node that has died. The
argument of a queue that shortens it would differ from what queues have that are there already, so that is for a policy
(docs/operations.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from logrouter.broker.contract import EXCHANGE, Queue, QueueKind, Session
from logrouter.errors import NotFound
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.router.handoff import Handoff
from logrouter.router.statements import RouterReporter
from logrouter.wire import probe
from logrouter.wire.request import EXCHANGE as REQUESTS
from logrouter.wire.routing_key import dead, ingress, marker
from logrouter.wire.statement import EXCHANGE as REPORTS
from logrouter.wire.statement import ROUTER, SHIPPER

ALL = ("#",)

NOTE = ".queues"
"""The ledger's note of the queues that were declared; no destination can have that name."""


class _Declared(msgspec.Struct, frozen=True):
    """That note."""

    queues: list[str] = []  # msgspec copies it


def lease(instance: str) -> Queue:
    """The queue that only one router of an instance has at a time: whoever has it serves the ingress queue."""
    return Queue(f"{ingress(instance)}.lease", QueueKind.TAIL)


async def declare(
    session: Session, ledger: Ledger, instance: str, bind: Sequence[str] = ALL, handoffs: Sequence[Handoff] = ()
) -> None:
    """Declare everything; harmless when it is there already. What shippers look for comes last: it promises the rest.

    Raises BrokerError, sqlite3.Error.
    """
    await session.declare_exchange(EXCHANGE)
    await session.declare_exchange(REPORTS)
    await session.declare_exchange(REQUESTS)
    reports, queues = RouterReporter(instance).queue.name, _queues(instance, handoffs)
    for queue in queues:
        await session.declare_queue(queue)
    for kind in (SHIPPER, ROUTER):
        await session.bind(reports, REPORTS, f"{kind}.#")
    await session.unbind(reports, REPORTS, "#")  # of an older router: it would take probes
    for pattern in bind:
        await session.bind(ingress(instance), EXCHANGE, pattern)
    await _settle(session, ledger, {queue.name for queue in queues})
    await session.declare_exchange(marker(instance))  # for shippers that look for it instead
    await session.bind(ingress(instance), REPORTS, probe.key(instance))


async def missing(session: Session, instance: str, handoffs: Sequence[Handoff] = ()) -> list[str]:
    """What was declared and is not there: names of exchanges and queues. Raises BrokerError."""
    exchanges = [name for name in _exchanges(instance) if not await session.exchange_exists(name)]
    queues = [queue.name for queue in _queues(instance, handoffs) if not await _is_there(session, queue.name)]
    return exchanges + queues


async def _is_there(session: Session, queue: str) -> bool:
    try:
        await session.depth(queue)
    except NotFound:
        return False
    return True


def _exchanges(instance: str) -> tuple[str, ...]:
    return EXCHANGE, REPORTS, REQUESTS, marker(instance)


def _queues(instance: str, handoffs: Sequence[Handoff]) -> list[Queue]:
    return [
        *(queue for handoff in handoffs for queue in handoff.queues()),
        RouterReporter(instance).queue,
        Queue(dead(instance), QueueKind.DEAD),
        Queue(ingress(instance), QueueKind.INGRESS),
    ]


async def _settle(session: Session, ledger: Ledger, queues: Collection[str]) -> None:
    """Wait for queues that may be new: those that the ledger does not know yet.

    The broker does not say which are; to ask for one that is not there is an error in its log.
    """
    known = noted(ledger.note(NOTE))
    if not set(queues).issubset(known):
        now = _Declared(sorted({*known, *queues}))
        await asyncio.to_thread(ledger.commit, LedgerEntry(notes={NOTE: msgspec.json.encode(now).decode()}))
        await session.settle()  # if it is killed meanwhile, its next life begins no sooner than this would have ended


def noted(note: str) -> list[str]:
    """The queues in that note; none where there is no note yet, or one that cannot be read: it is written anew."""
    try:
        return msgspec.json.decode(note, type=_Declared).queues if note else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
