"""The router as it lives: recovers its destinations, then serves one session after another until it is told to stop."""

from __future__ import annotations

import asyncio

from logrouter.broker.contract import Broker
from logrouter.errors import BrokerError, Retry
from logrouter.observe import events
from logrouter.router.serving import Routing, Serving
from logrouter.router.topology import declare
from logrouter.waiting import wait

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
"""Seconds between two tries to reach the broker."""


async def route(broker: Broker, routing: Routing, stop: asyncio.Event, drain: asyncio.Event | None = None) -> None:
    """Route until `stop` is set; once `drain` is, until the queue is empty and everything in hand is settled."""
    unreachable = events.Condition(events.BROKER_LOST, events.BROKER_FOUND)
    pause = _FIRST_PAUSE
    await routing.commits.recover()
    while not stop.is_set():
        try:
            async with broker.session() as session:
                await declare(session, routing.settings.instance, routing.settings.bind)
                unreachable.end(broker=broker.name)
                pause = _FIRST_PAUSE
                await Serving(session, routing).serve(stop, drain)
                break
        except (BrokerError, Retry) as error:
            unreachable.begin(broker=broker.name, reason=error)
        await wait(stop, pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    await routing.commits.close()
