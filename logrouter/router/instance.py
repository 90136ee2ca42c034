"""What a router keeps on the broker while it serves: its lease of the instance, and the topology."""

from __future__ import annotations

import asyncio
import time

from logrouter.broker.contract import Session
from logrouter.errors import BrokerError, LogrouterError, QueueTaken, SessionLost
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.ingress import Routing
from logrouter.router.topology import declare, lease, missing
from logrouter.support.aio import wait

_EVERY = 30.0
"""Seconds between two looks at the topology."""

_AGAIN = 0.5
"""Seconds between two tries to have the lease."""

_GHOST = 45.0
"""Seconds for which a connection of this router's own last life may still have the lease: until its heartbeat fails."""


class Holding:
    """The lease of an instance, over all sessions of a router."""

    def __init__(self, broker: str, instance: str) -> None:
        self._broker = broker
        self._instance = instance
        self._taken = Condition(events.LEASE_HELD, events.LEASE_FREE)
        self._was_ours = False

    async def hold(self, session: Session, stop: asyncio.Event) -> None:
        """Return when this router has the lease, or `stop` is set.

        Raises LogrouterError where another has it for too long when this one starts, BrokerError.
        """
        began = time.monotonic()
        while not stop.is_set():
            try:
                await session.declare_queue(lease(self._instance))
            except QueueTaken as error:
                self._taken.begin(broker=self._broker, instance=self._instance)
                if not self._was_ours and time.monotonic() - began > _GHOST:
                    raise LogrouterError(
                        f"another router serves instance {self._instance} on {self._broker}",
                        "stop it first, or give this one its own --instance: each gets every message",
                    ) from error
                await wait(stop, _AGAIN)
            else:
                self._was_ours = True
                self._taken.end(instance=self._instance)
                return


async def say_missing(session: Session, routing: Routing) -> None:
    """Say what is gone that was declared. Raises BrokerError."""
    gone = await missing(session, routing.settings.instance, routing.handoffs)
    if gone:
        events.TOPOLOGY_RESTORED.happened(what=", ".join(gone))


async def keep_topology(session: Session, routing: Routing) -> None:
    """Declare again what is gone, until cancelled or the session is lost. Bindings are made again in any case."""
    settings = routing.settings
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await say_missing(session, routing)
            await declare(session, routing.ledger, settings.instance, settings.bind, routing.handoffs)
        except SessionLost:
            return
        except BrokerError as error:
            events.TOPOLOGY_UNKNOWN.happened(reason=error)
