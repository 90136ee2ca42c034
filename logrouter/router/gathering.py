"""A destination's records -> notifications in its outbox.

In come batches that the router handed off; about once a second those in hand are taken into the destination's
gathering, what is due to be told is confirmed by the outbox, and one ledger transaction keeps the gathering together
with the ids of the batches in it; only then are these acknowledged. So nothing waits unacknowledged for as long as
records are gathered, and a batch that comes again is known: a notification is made twice only if the process dies
between the broker's confirm and that transaction.
"""

from __future__ import annotations

import asyncio
import time

from logrouter.batch import from_message
from logrouter.broker.contract import Consumer, Delivery, Session
from logrouter.destinations.contract import Notifying
from logrouter.errors import WireError
from logrouter.faultpoint import reach
from logrouter.ledger.ledger import Entry, Ledger
from logrouter.message import Message
from logrouter.observe import events, metrics
from logrouter.router.commit import SEEN_SECONDS
from logrouter.router.handoff import RULE, Handoff, sent_to
from logrouter.slices import from_part
from logrouter.waiting import raise_first, wait

PREFETCH = 400
"""Batches in hand at most, each of up to some 256 KiB."""

_SETTLE_SECONDS = 1.0
_LONG = 60.0
"""After which the clock is looked at again: it may have been set."""


class Gatherer:
    """The records of one destination on one session. Whatever is not settled when the session ends comes again."""

    def __init__(self, session: Session, handoff: Handoff, destination: Notifying, ledger: Ledger) -> None:
        self._session = session
        self._handoff = handoff
        self._name = destination.name
        self._ledger = ledger
        self._gathering = destination.resume(ledger.note(destination.name))
        self._deliveries: list[Delivery] = []
        self._seen: dict[str, int] = {}
        self._aside: list[Message] = []
        self._due: float | None = 0.0
        self._composed = 0.0
        self._changed = asyncio.Event()
        self._settling = self._hurried = self._ending = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, and nothing is due."""
        return not (self._deliveries or self._settling or self._is_due())

    def tell_at_once(self) -> None:
        """Make all that is gathered due, now and from now on."""
        if not self._hurried:
            self._hurried = True
            self._due = 0.0
            self._changed.set()

    def end(self) -> None:
        """Settle what is in hand, then return from `gather`."""
        self._ending = True
        self._changed.set()

    async def gather(self) -> None:
        """Gather until told to end. Raises BrokerError, sqlite3.Error."""
        consumer = await self._session.consume(self._handoff.records, prefetch=PREFETCH)
        receiving = asyncio.create_task(self._receive(consumer))
        settling = asyncio.create_task(self._settle_when_due(consumer))
        try:
            await asyncio.wait({receiving, settling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            receiving.cancel()
            self.end()
            # Never cancelled: its transaction may be under way in a thread.
            results = await asyncio.gather(receiving, settling, return_exceptions=True)
            await consumer.close()
        raise_first(results)

    async def _receive(self, consumer: Consumer) -> None:
        async for delivery in consumer:
            for each in (delivery, *consumer.drain()):
                self._take(each)

    def _take(self, delivery: Delivery) -> None:
        message, now = delivery.message, time.time()
        self._deliveries.append(delivery)
        if len(self._deliveries) in (1, PREFETCH // 2):
            self._changed.set()
        identity = f"{self._handoff.records}/{message.message_id}"
        if identity in self._seen or self._ledger.seen(identity, int(now) - SEEN_SECONDS):
            metrics.SUPPRESSED.inc()
            return
        try:
            records = from_part(from_message(message)).records()
        except WireError as error:
            self._set_aside(message, error)
            return
        self._seen[identity] = int(now)
        self._gathering.add(identity, str(message.headers.get(RULE, "")), records, now)

    def _set_aside(self, message: Message, error: WireError) -> None:
        queue = self._handoff.dead
        self._aside.append(sent_to(queue, message, reason=str(error)))
        events.DEAD_LETTER.happened(key=message.key, queue=queue, reason=error)
        metrics.DEAD.labels(queue).inc()

    async def _settle_when_due(self, consumer: Consumer) -> None:
        while not self._ending:
            self._changed.clear()
            if self._deliveries and not self._hurried and len(self._deliveries) < PREFETCH // 2:
                await wait(self._changed, _SETTLE_SECONDS)
            if self._deliveries or self._is_due():
                await self._settle(consumer)
            else:
                left = _LONG if self._due is None else self._due - time.time()
                await wait(self._changed, min(left, _LONG))
        if self._deliveries:
            await self._settle(consumer)

    def _is_due(self) -> bool:
        # A clock that was set back says nothing of when it is time: the gathering knows better.
        return self._due is not None and not self._composed <= time.time() < self._due

    async def _settle(self, consumer: Consumer) -> None:
        self._settling = True
        deliveries, self._deliveries = self._deliveries, []
        aside, self._aside = self._aside, []
        seen = dict(self._seen)
        self._composed, hurried = time.time(), self._hurried
        composed = self._gathering.compose(self._composed, at_once=hurried)
        outgoing = [*aside, *(sent_to(self._handoff.outbox, each) for each in composed.notifications)]
        await asyncio.gather(*(self._session.publish("", message) for message in outgoing))
        reach("mail.outbox.confirmed")
        await asyncio.to_thread(self._ledger.commit, Entry(seen=seen, notes={self._name: composed.note}))
        for identity in seen:
            del self._seen[identity]
        reach("mail.gathered")
        await consumer.ack(deliveries)
        self._due = composed.due if hurried == self._hurried else 0.0  # told to hurry since: all of it is due
        self._settling = False
