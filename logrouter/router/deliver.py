"""Delivers the notifications in a destination's outbox, one at a time.

A notification leaves the outbox only when it is delivered, or confirmed in a delay queue or in the dead letters. Tries
are repeated without limit, with growing delays. A notification whose delivery fails in an unexpected way goes to the
dead letters, so that it does not hold up the others.
"""

from __future__ import annotations

import asyncio
import sqlite3

from logrouter.broker.contract import Delivery, Session
from logrouter.destinations.contract import Notifying
from logrouter.errors import BrokerError, Retry, described
from logrouter.observability import events, metrics
from logrouter.observability.conditions import Condition
from logrouter.router.handoff import Handoff, addressed_to, attempts_of, hand_off
from logrouter.support.failpoint import reach

_PREFETCH, _BUDGET = 10, 16 << 20
"""The most notifications, and bytes of notifications, that are unacknowledged at a time."""


class Deliverer:
    """The delivery of one destination on one session. idle: set while no notification is being delivered."""

    def __init__(self, session: Session, handoff: Handoff, destination: Notifying, failing: Condition) -> None:
        self._session = session
        self._handoff = handoff
        self._destination = destination
        self._failing = failing
        self.idle = asyncio.Event()
        self.idle.set()

    async def deliver(self) -> None:
        """Deliver until cancelled. Raises BrokerError."""
        consumer = await self._session.consume(self._handoff.outbox, prefetch=_PREFETCH, budget=_BUDGET)
        try:
            async for delivery in consumer:
                self.idle.clear()
                reach("mail.deliver.before")
                await self._deliver(delivery)
                reach("mail.deliver.after")
                await consumer.ack([delivery])
                reach("mail.ack.after")
                self.idle.set()
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise asyncio.CancelledError  # an await above may have swallowed it, as asyncio.wait_for can
        finally:
            await consumer.close()

    async def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        name = self._destination.name
        try:
            await self._destination.deliver(message)
        except Retry as error:
            attempts = attempts_of(message) + 1
            self._failing.begin(destination=name, reason=error)
            await hand_off(self._session, addressed_to(self._handoff.retry(attempts), message, attempts=attempts))
        except (BrokerError, sqlite3.Error):
            raise
        except Exception as error:  # noqa: BLE001  # Refuse, and any other error that one notification can cause
            queue, reason = self._handoff.dead, described(error)
            await hand_off(
                self._session, addressed_to(queue, message, attempts=attempts_of(message) + 1, reason=reason)
            )
            events.NOTIFICATION_REFUSED.happened(destination=name, queue=queue, reason=reason)
            metrics.DEAD.labels(queue).inc()
        else:
            self._failing.end(destination=name)
            metrics.MAILS.labels(name).inc()
