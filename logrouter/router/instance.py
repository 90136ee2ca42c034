"""What a router keeps on the broker while it runs: the lease of its instance, and its topology."""

from __future__ import annotations

import asyncio
import time

from logrouter.broker.contract import Session
from logrouter.errors import BrokerError, LogrouterError, QueueTaken, SessionLost
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.ingress import RouterContext
from logrouter.router.topology import declare, lease, missing
from logrouter.support.aio import wait

_CHECK_SECONDS = 30.0
"""Seconds between two checks of the topology."""

_RETRY_SECONDS = 0.5
"""Seconds between two tries to acquire the lease."""

_STALE_LEASE_SECONDS = 45.0
"""Seconds for which the connection of this router's previous process may keep the lease, until its heartbeat fails."""


class InstanceLease:
    """The lease of an instance, over all sessions of a router."""

    def __init__(self, broker: str, instance: str) -> None:
        self._broker = broker
        self._instance = instance
        self._taken = Condition(events.LEASE_HELD, events.LEASE_FREE)
        self._was_ours = False

    async def acquire(self, session: Session, stop: asyncio.Event) -> None:
        """Return when this router has the lease, or `stop` is set.

        Raises LogrouterError if this router never had the lease and another one keeps it for 45 s, and BrokerError.
        """
        began = time.monotonic()
        while not stop.is_set():
            try:
                await session.declare_queue(lease(self._instance))
            except QueueTaken as error:
                self._taken.begin(broker=self._broker, instance=self._instance)
                if not self._was_ours and time.monotonic() - began > _STALE_LEASE_SECONDS:
                    raise LogrouterError(
                        f"another router serves instance {self._instance} on {self._broker}",
                        "stop it first, or give this one its own --instance: each instance gets every message",
                    ) from error
                await wait(stop, _RETRY_SECONDS)
            else:
                self._was_ours = True
                self._taken.end(instance=self._instance)
                return


async def report_missing(session: Session, routing: RouterContext) -> None:
    """Report which declared exchanges and queues are gone, by an event. Raises BrokerError."""
    gone = await missing(session, routing.settings.instance, routing.handoffs)
    if gone:
        events.TOPOLOGY_RESTORED.happened(what=", ".join(gone))


async def keep_topology(session: Session, routing: RouterContext) -> None:
    """Restore the topology every 30 s, until cancelled or until the session is lost.

    Only exchanges and queues that are gone are reported. Bindings are declared again in any case.
    """
    settings = routing.settings
    while True:
        await asyncio.sleep(_CHECK_SECONDS)
        try:
            await report_missing(session, routing)
            await declare(session, routing.ledger, settings.instance, settings.bind, routing.handoffs)
        except SessionLost:
            return
        except BrokerError as error:
            events.TOPOLOGY_UNKNOWN.happened(reason=error)
