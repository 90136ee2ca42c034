"""Declares what a router needs on the broker, so that nobody has to set it up: exchanges, queues and bindings.

The binding that shows shippers that a router has been here is declared last.

One setting cannot be declared: on a cluster of RabbitMQ 4.3 a queue waits 60 s for the consumer of a node that has
died. The queue argument that shortens this would differ from the arguments of queues that exist already, so it takes a
policy (docs/operations.md).
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
"""The name of the ledger's note of the queues that were declared. No destination can have this name."""


class _Declared(msgspec.Struct, frozen=True):
    """The content of the note NOTE."""

    queues: list[str] = []  # msgspec copies it


def lease(instance: str) -> Queue:
    """Return the queue that only one router of an instance can hold at a time. Its holder serves the ingress queue."""
    return Queue(f"{ingress(instance)}.lease", QueueKind.TAIL)


async def declare(
    session: Session, ledger: Ledger, instance: str, bind: Sequence[str] = ALL, handoffs: Sequence[Handoff] = ()
) -> None:
    """Declare everything; what exists already stays as it is. Raises BrokerError, sqlite3.Error.

    What shippers look for comes last, because it promises that the rest exists.
    """
    await session.declare_exchange(EXCHANGE)
    await session.declare_exchange(REPORTS)
    await session.declare_exchange(REQUESTS)
    reports, queues = RouterReporter(instance).queue.name, _queues(instance, handoffs)
    for queue in queues:
        await session.declare_queue(queue)
    for kind in (SHIPPER, ROUTER):
        await session.bind(reports, REPORTS, f"{kind}.#")
    await session.unbind(reports, REPORTS, "#")  # a binding of older routers, by which probes would come as statements
    for pattern in bind:
        await session.bind(ingress(instance), EXCHANGE, pattern)
    await _settle(session, ledger, {queue.name for queue in queues})
    await session.declare_exchange(marker(instance))  # for shippers that may not publish probes and look for it instead
    await session.bind(ingress(instance), REPORTS, probe.key(instance))


async def missing(session: Session, instance: str, handoffs: Sequence[Handoff] = ()) -> list[str]:
    """Return the names of the declared exchanges and queues that do not exist. Raises BrokerError."""
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
    """Wait for new queues to settle: those that the ledger does not know yet.

    The broker does not report which queues are new, and a check for a queue that does not exist is an error in its log.
    """
    known = noted(ledger.note(NOTE))
    if not set(queues).issubset(known):
        now = _Declared(sorted({*known, *queues}))
        await asyncio.to_thread(ledger.commit, LedgerEntry(notes={NOTE: msgspec.json.encode(now).decode()}))
        await session.settle()  # a router that is killed meanwhile does not start again before this would have ended


def noted(note: str) -> list[str]:
    """Return the queues in the note NOTE, or none if it is empty or cannot be read; `declare` then writes it again."""
    try:
        return msgspec.json.decode(note, type=_Declared).queues if note else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
