"""The router as it lives: the ingress queue served, every notifying destination beside it, until it is told to stop."""

from __future__ import annotations

import asyncio
from functools import partial

from logrouter.broker.contract import Broker, Session
from logrouter.ledger.ledger import INGRESS
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.ingress import Routing, Serving
from logrouter.router.instance import Holding, keep_topology, say_missing
from logrouter.router.outlet import notify
from logrouter.router.overflow_replay import catch_up
from logrouter.router.retransmission import Losses
from logrouter.router.sessions import Work, on_sessions
from logrouter.router.statements import RouterReporter, report
from logrouter.router.topology import declare
from logrouter.support.aio import wait_for_any


async def route(broker: Broker, routing: Routing, stop: asyncio.Event, drain: asyncio.Event | None = None) -> None:
    """Route until `stop` is set; once `drain` is, until the queues are empty and everything in hand is settled."""
    unreachable = Condition(events.BROKER_LOST, events.BROKER_FOUND)
    declared, drained = asyncio.Event(), asyncio.Event()

    holding = Holding(broker.name, routing.settings.instance)

    async def serve(session: Session) -> None:
        await _begin(session, routing, holding, stop, is_first=not declared.is_set())
        declared.set()
        await _serve(session, routing, retransmission, stop, drain)

    async def serve_ingress() -> None:
        try:
            await on_sessions(broker, serve, stop, unreachable)
        finally:
            declared.set()
            drained.set()

    async def beside(work: Work) -> None:
        """On a session of its own, once all is declared: what holds one up holds up nothing else."""
        await declared.wait()
        await on_sessions(broker, work, stop, unreachable)

    async def keep_inline(name: str, stuck: asyncio.Event) -> None:
        """Let a destination that is set aside catch up, whenever one is."""
        while not stop.is_set() and (stuck.is_set() or not drained.is_set()):
            await wait_for_any(stuck, stop, drained)
            if stuck.is_set():
                await catch_up(name, routing.commits, stop)

    ledger = routing.ledger
    retransmission = Losses(
        routing.settings.instance,
        partial(ledger.extents, INGRESS),
        ledger.extents_of_lives,
        ledger.born,
        ledger.missing(),
    )
    await routing.commits.recover()
    reporter = RouterReporter(routing.settings.instance, routing.config)
    reports = partial(report, reporter=reporter, ledger=ledger, retransmission=retransmission, stop=stop, drain=drained)
    outlets = [
        partial(notify, outlet=outlet, ledger=routing.ledger, stop=stop, drain=drained) for outlet in routing.outlets
    ]
    inline = (keep_inline(name, stuck) for name, stuck in routing.commits.aside.stuck.items())
    tasks = {asyncio.create_task(each) for each in (serve_ingress(), *map(beside, (reports, *outlets)), *inline)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if not all(task.done() and task.exception() is None for task in tasks):
            stop.set()
        await asyncio.wait(tasks)
        await routing.commits.close()
    for task in tasks:
        task.result()


async def _begin(session: Session, routing: Routing, holding: Holding, stop: asyncio.Event, *, is_first: bool) -> None:
    """Have the lease of the instance, and all that is to be on the broker."""
    await holding.hold(session, stop)
    if not is_first:
        await say_missing(session, routing)
    settings = routing.settings
    await declare(session, routing.ledger, settings.instance, settings.bind, routing.handoffs)


async def _serve(
    session: Session,
    routing: Routing,
    retransmission: Losses,
    stop: asyncio.Event,
    drain: asyncio.Event | None,
) -> None:
    """Route on one session, and keep the topology meanwhile."""
    keeping = asyncio.create_task(keep_topology(session, routing))
    try:
        await Serving(session, routing, retransmission).serve(stop, drain)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
