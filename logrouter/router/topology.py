"""What a router declares on the broker, so that nobody sets it up by hand; and the names of it all.

In comes an instance's name and what it binds; out go an exchange, a bound ingress queue, the dead letters and, last of
all, the marker exchange that tells shippers that a router has been here.
"""

from __future__ import annotations

from collections.abc import Sequence

from logrouter.broker.contract import EXCHANGE, Queue, QueueKind, Session
from logrouter.keys import marker
from logrouter.request import EXCHANGE as REQUESTS
from logrouter.router.deliveries import depth
from logrouter.router.handoff import Handoff
from logrouter.router.reporting import Reporter
from logrouter.statement import EXCHANGE as REPORTS

ALL = ("#",)


def ingress(instance: str) -> str:
    """The queue that everything for an instance comes through."""
    return f"logrouter.{instance}"


def dead(instance: str) -> str:
    """The queue of what could not be decided at all."""
    return f"logrouter.{instance}.dead"


async def declare(session: Session, instance: str, bind: Sequence[str] = ALL, handoffs: Sequence[Handoff] = ()) -> None:
    """Declare everything; harmless when it is there already. The marker comes last: it promises the rest."""
    await session.declare_exchange(EXCHANGE)
    await session.declare_exchange(REPORTS)
    await session.declare_exchange(REQUESTS)
    reports = Reporter(instance).queue
    queues = [
        *(queue for handoff in handoffs for queue in handoff.queues()),
        reports,
        Queue(dead(instance), QueueKind.DEAD),
        Queue(ingress(instance), QueueKind.INGRESS),
    ]
    is_new = None in [await depth(session, queue.name) for queue in queues]
    for queue in queues:
        await session.declare_queue(queue)
    await session.bind(reports.name, REPORTS, "#")
    for pattern in bind:
        await session.bind(ingress(instance), EXCHANGE, pattern)
    if is_new:
        await session.settle()
    await session.declare_exchange(marker(instance))
