"""The router: serves the ingress queue, and every notifying destination beside it, until it is stopped or drained."""

from __future__ import annotations

import asyncio
from functools import partial

from logrouter.broker.contract import Broker, Session
from logrouter.ledger.ledger import INGRESS
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.ingress import IngressSession, RouterContext
from logrouter.router.instance import InstanceLease, keep_topology, report_missing
from logrouter.router.outlet import notify
from logrouter.router.overflow_replay import catch_up
from logrouter.router.retransmission import Losses
from logrouter.router.sessions import Work, run_on_sessions
from logrouter.router.statements import RouterReporter, report
from logrouter.router.topology import declare
from logrouter.support.aio import wait_for_any


async def route(
    broker: Broker, routing: RouterContext, stop: asyncio.Event, drain: asyncio.Event | None = None
) -> None:
    """Route until `stop` is set, or, after `drain` is set, until the queues are empty and all deliveries are settled.

    Raises LogrouterError if another router keeps the lease of the instance.
    """
    unreachable = Condition(events.BROKER_LOST, events.BROKER_FOUND)
    declared, drained = asyncio.Event(), asyncio.Event()

    lease = InstanceLease(broker.name, routing.settings.instance)

    async def serve(session: Session) -> None:
        await _begin(session, routing, lease, stop, is_first=not declared.is_set())
        declared.set()
        await _serve(session, routing, retransmission, stop, drain)

    async def serve_ingress() -> None:
        try:
            await run_on_sessions(broker, serve, stop, unreachable)
        finally:
            declared.set()
            drained.set()

    async def run_apart(work: Work) -> None:
        """Run `work` on sessions of its own, so that it cannot hold up other work. It begins when all is declared."""
        await declared.wait()
        await run_on_sessions(broker, work, stop, unreachable)

    async def keep_inline(name: str, stuck: asyncio.Event) -> None:
        """Have the destination catch up each time it is set aside. `stuck` is set while it is."""
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
    tasks = {asyncio.create_task(each) for each in (serve_ingress(), *map(run_apart, (reports, *outlets)), *inline)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if not all(task.done() and task.exception() is None for task in tasks):
            stop.set()
        await asyncio.wait(tasks)
        await routing.commits.close()
    for task in tasks:
        task.result()


async def _begin(
    session: Session, routing: RouterContext, lease: InstanceLease, stop: asyncio.Event, *, is_first: bool
) -> None:
    """Acquire the lease of the instance, then declare everything that has to be on the broker."""
    await lease.acquire(session, stop)
    if not is_first:
        await report_missing(session, routing)
    settings = routing.settings
    await declare(session, routing.ledger, settings.instance, settings.bind, routing.handoffs)


async def _serve(
    session: Session,
    routing: RouterContext,
    retransmission: Losses,
    stop: asyncio.Event,
    drain: asyncio.Event | None,
) -> None:
    """Route on one session, and restore the topology whenever part of it is gone."""
    keeping = asyncio.create_task(keep_topology(session, routing))
    try:
        await IngressSession(session, routing, retransmission).serve(stop, drain)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
