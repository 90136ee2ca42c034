"""Gathers the records of a notifying destination and publishes its notifications to the outbox.

Batches that the router handed off are added to the destination's gathering as they arrive. About once a second one
ledger transaction saves the gathering, the positions of the records in it and the notifications that are due. Only then
are the batches acknowledged and the notifications published to the outbox. This has three effects:

- Batches are acknowledged within about a second, however long records are gathered.
- Records that come again are recognized, however they are cut into batches the second time.
- A notification that may not have reached the broker is published again unchanged, under the same id.

What cannot be gathered or composed goes to the destination's dead letters, whatever the reason, and the rest continues:
`_take` does this for a batch, `_take_due` for everything else.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Sequence

import msgspec

from logrouter.broker.contract import Consumer, Delivery, Session
from logrouter.destinations.contract import Gathering, Notifying, Taken
from logrouter.errors import described
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.observability import events, metrics
from logrouter.router.commit import SEEN_SECONDS
from logrouter.router.handoff import RULE, Handoff, addressed_to, hand_off, identity
from logrouter.support.aio import raise_first, wait
from logrouter.support.failpoint import reach
from logrouter.wire.batch import from_message
from logrouter.wire.message import Message
from logrouter.wire.ranges import Ranges
from logrouter.wire.slices import Slice, from_part

GATHERED = "logrouter.gathered/1"
"""The type of a dead letter that holds a digest, a destination's note or its notifications."""

PREFETCH, _BUDGET = 400, 16 << 20
"""The most batches, and bytes of batches, that are unacknowledged at a time."""

_SETTLE_SECONDS = 1.0
_LONGEST_WAIT = 60.0
"""Seconds after which the clock is read again, because it may have been set meanwhile."""


class Gatherer:
    """The gathering of one destination on one session. Batches that are not settled when it ends come again."""

    def __init__(self, session: Session, handoff: Handoff, destination: Notifying, ledger: Ledger) -> None:
        self._session = session
        self._handoff = handoff
        self._destination = destination
        self._name = destination.name
        self._ledger = ledger
        self._deliveries: list[Delivery] = []
        self._bytes = 0
        self._seen: dict[str, int] = {}
        self._known: dict[str, Ranges] = {}
        self._fresh: dict[str, Ranges] = {}
        self._aside: list[Message] = []
        self._due: float | None = 0.0
        self._taken_at = 0.0
        self._changed = asyncio.Event()
        self._settling = self._hurried = self._ending = False
        self._gathering = self._resumed()

    @property
    def is_idle(self) -> bool:
        """Whether no batch is in hand and no notification is due."""
        return not (self._deliveries or self._settling or self._is_due())

    def flush(self) -> None:
        """Make everything that is gathered due, now and from now on."""
        if not self._hurried:
            self._hurried = True
            self._due = 0.0
            self._changed.set()

    def end(self) -> None:
        """Make `gather` settle the batches in hand, then return."""
        self._ending = True
        self._changed.set()

    async def gather(self) -> None:
        """Gather until `end` is called. Raises BrokerError, sqlite3.Error."""
        await self._send_out()
        consumer = await self._session.consume(self._handoff.records, prefetch=PREFETCH, budget=_BUDGET)
        receiving = asyncio.create_task(self._receive(consumer))
        settling = asyncio.create_task(self._settle_when_due(consumer))
        try:
            await asyncio.wait({receiving, settling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            receiving.cancel()
            self.end()
            # `settling` is never cancelled, because its transaction may be under way in a thread.
            results = await asyncio.gather(receiving, settling, return_exceptions=True)
            await consumer.close()
        raise_first(results)

    async def _send_out(self) -> None:
        """Publish the notifications that the ledger has for the outbox, then remove them from the ledger."""
        if outgoing := self._ledger.outgoing(self._name):
            await self._publish(self._for_outbox(outgoing))
            reach("mail.outbox.confirmed")
            await asyncio.to_thread(self._ledger.commit, LedgerEntry(outgoing={self._name: b""}))

    def _for_outbox(self, outgoing: bytes) -> list[Message]:
        try:
            notifications = msgspec.json.decode(outgoing, type=list[Message])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [self._gathered(outgoing, error)]
        return [addressed_to(self._handoff.outbox, each) for each in notifications]

    async def _publish(self, messages: Iterable[Message]) -> None:
        await asyncio.gather(*(hand_off(self._session, message) for message in messages))

    async def _receive(self, consumer: Consumer) -> None:
        async for delivery in consumer:
            for each in (delivery, *consumer.drain()):
                self._take(each)

    def _take(self, delivery: Delivery) -> None:
        message, now = delivery.message, time.time()
        self._deliveries.append(delivery)
        self._bytes += len(message.body)
        if len(self._deliveries) in (1, PREFETCH // 2) or self._bytes > _BUDGET // 2:
            self._changed.set()
        try:
            piece = from_part(from_message(message))
            fresh = self._not_seen(piece, message.message_id, int(now)) if piece.is_foreign else self._not_known(piece)
            metrics.SUPPRESSED.inc(len(piece) - (len(fresh) if fresh else 0))
            if fresh:
                name = message.message_id if fresh.is_foreign else identity(fresh)
                self._gathering.add(name, str(message.headers.get(RULE, "")), fresh.records(), now)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001  # WireError, and any other error that one batch can cause
            self._aside.append(self._dead(message, described(error)))

    def _not_seen(self, piece: Slice, message_id: str, now: int) -> Slice | None:
        """Return a foreign record if its message was not gathered before; foreign records have no position."""
        name = f"{self._handoff.records}/{message_id}"
        if name in self._seen or self._ledger.seen(name, now - SEEN_SECONDS):
            return None
        self._seen[name] = now
        return piece

    def _not_known(self, piece: Slice) -> Slice | None:
        """Return the records that were not gathered before, by their positions."""
        if piece.source not in self._known:
            self._known[piece.source] = self._ledger.extents(self._name, piece.source)
        known, fresh = self._known[piece.source], self._fresh.setdefault(piece.source, Ranges())
        selected = piece.select([not known.covers(place.pos, place.end) for place in piece.places])
        for place in piece.places:
            known.add(place.pos, place.end)
            fresh.add(place.pos, place.end)
        return selected

    def _dead(self, message: Message, reason: str) -> Message:
        """Make a dead letter of a batch."""
        queue = self._handoff.dead
        events.DEAD_LETTER.happened(key=message.key, queue=queue, reason=reason)
        metrics.DEAD.labels(queue).inc()
        return addressed_to(queue, message, reason=reason)

    def _gathered(self, content: bytes, error: Exception) -> Message:
        """Make a dead letter of a digest, a note or notifications."""
        queue, reason = self._handoff.dead, described(error)
        events.GATHERED_ASIDE.happened(destination=self._name, queue=queue, reason=reason)
        metrics.DEAD.labels(queue).inc()
        message = Message(self._handoff.records, content, type=GATHERED, content_type="application/json")
        return addressed_to(queue, message, reason=reason)

    def _resumed(self) -> Gathering:
        """Resume the gathering from the ledger's note. If that fails, add a dead letter and begin a new gathering."""
        note = self._ledger.note(self._name)
        try:
            return self._destination.resume(note)
        except Exception as error:  # noqa: BLE001  # a damaged note can fail in any way
            self._aside.append(self._gathered(note.encode(), error))
            return self._destination.resume("")

    async def _settle_when_due(self, consumer: Consumer) -> None:
        while not self._ending:
            self._changed.clear()
            if self._deliveries and not self._hurried and not self._is_large():
                await wait(self._changed, _SETTLE_SECONDS)
            if self._deliveries or self._is_due():
                await self._settle(consumer)
            else:
                left = _LONGEST_WAIT if self._due is None else self._due - time.time()
                await wait(self._changed, min(left, _LONGEST_WAIT))
        if self._deliveries:
            await self._settle(consumer)

    def _is_large(self) -> bool:
        return len(self._deliveries) >= PREFETCH // 2 or self._bytes > _BUDGET // 2

    def _is_due(self) -> bool:
        # If the clock was set back, `_due` means nothing, so the gathering is asked at once.
        return self._due is not None and not self._taken_at <= time.time() < self._due

    async def _settle(self, consumer: Consumer) -> None:
        self._settling = True
        deliveries, self._deliveries, self._bytes = self._deliveries, [], 0
        aside, self._aside = self._aside, []
        seen, (fresh, self._fresh) = dict(self._seen), (self._fresh, {})
        self._taken_at, hurried = time.time(), self._hurried
        taken, outgoing = await self._take_due(deliveries, aside)
        await self._publish(aside)
        decided = {(self._name, source): extents for source, extents in fresh.items()}
        entry = LedgerEntry(decided=decided, seen=seen, notes={self._name: taken.note})
        if outgoing:
            entry.outgoing[self._name] = outgoing
        await asyncio.to_thread(self._ledger.commit, entry)
        for name in seen:
            del self._seen[name]
        for source in fresh.keys() - self._fresh.keys():
            del self._known[source]
        reach("mail.gathered")
        await consumer.ack(deliveries)
        await self._send_out()
        # If `flush` was called meanwhile, everything is due.
        self._due = taken.due if hurried == self._hurried else 0.0
        self._settling = False

    async def _take_due(self, deliveries: Sequence[Delivery], aside: list[Message]) -> tuple[Taken, bytes]:
        """Take the digest that is due, and compose its notifications for the outbox, encoded as JSON.

        What fails, for any reason, is added to `aside` as a dead letter.
        """
        taken = None
        try:
            taken = self._gathering.take(self._taken_at, at_once=self._hurried)
            if not taken.digest:
                return taken, b""
            notifications = await asyncio.to_thread(self._destination.compose, taken.digest, self._taken_at)
            return taken, msgspec.json.encode(notifications)
        except Exception as error:  # noqa: BLE001  # templates, odd records and damaged notes can fail in any way
            if taken is not None:
                aside.append(self._gathered(taken.digest, error))
                return taken, b""
            # The gathering itself fails, so all of it becomes dead letters: the last note, and the batches since then.
            aside.append(self._gathered(self._ledger.note(self._name).encode(), error))
            aside += [self._dead(delivery.message, described(error)) for delivery in deliveries]
            self._gathering = self._destination.resume("")
            return Taken(b"", ""), b""
