"""One notifying destination on one session: gathers its records and delivers its notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from logrouter.broker.contract import Session
from logrouter.destinations.contract import Notifying
from logrouter.ledger.ledger import Ledger
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.deliver import Deliverer
from logrouter.router.handoff import Handoff
from logrouter.router.notify import Gatherer
from logrouter.support.aio import raise_first, wait, wait_for_any

_STOP_SECONDS = 10.0
"""The time that a notification which is being delivered gets to finish after a stop."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Outlet:
    """A notifying destination with its queues. failing: the condition that its deliveries fail, over all sessions."""

    handoff: Handoff
    destination: Notifying
    failing: Condition


async def notify(session: Session, outlet: Outlet, ledger: Ledger, stop: asyncio.Event, drain: asyncio.Event) -> None:
    """Gather and deliver until `stop` is set, or, after `drain` is set, until nothing is left.

    Raises BrokerError, sqlite3.Error.
    """
    gatherer = Gatherer(session, outlet.handoff, outlet.destination, ledger)
    deliverer = Deliverer(session, outlet.handoff, outlet.destination, outlet.failing)

    async def left() -> int:
        in_hand = (not gatherer.is_idle) + (not deliverer.idle.is_set())
        return in_hand + sum([await session.depth(queue) for queue in outlet.handoff.pending_queues])

    async def ending() -> None:
        await wait_for_any(stop, drain)
        if drain.is_set():
            gatherer.flush()
            await _until_nothing(left, stop, outlet)

    gathering = asyncio.create_task(gatherer.gather())
    others = {asyncio.create_task(deliverer.deliver()), asyncio.create_task(ending())}
    try:
        await asyncio.wait({gathering, *others}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await wait(deliverer.idle, _STOP_SECONDS)
    finally:
        gatherer.end()
        for task in others:
            task.cancel()
        results = await asyncio.gather(gathering, *others, return_exceptions=True)
    raise_first(results)


async def _until_nothing(left: Callable[[], Awaitable[int]], stop: asyncio.Event, outlet: Outlet) -> None:
    """Wait until nothing is left. If `stop` is set before, report what is left and return."""
    before = remaining = 1  # not known yet
    # Nothing has to be left twice in a row: a message that moves from a delay queue to the outbox may be in neither.
    while before or remaining:
        if stop.is_set():
            what = f"{remaining} messages for {outlet.destination.name}, in queues {outlet.handoff.records}*"
            events.DRAIN_LEFT.happened(what=what)
            return
        before, remaining = remaining, await left()
        await wait(stop, _POLL_SECONDS)
