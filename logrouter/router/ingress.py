"""Routing on one session: takes deliveries from the ingress queue, commits them in groups and acknowledges them.

All state here ends with the session. Deliveries that were not committed come again and are compared with the ledger. A
commit that is under way finishes first, because its transaction cannot be cancelled.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from logrouter.broker.contract import Consumer, Delivery, Session
from logrouter.errors import WireError
from logrouter.ledger.ledger import INGRESS, Ledger
from logrouter.observability import events, metrics
from logrouter.router.commit import SEEN_SECONDS, Committer
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.foreign import foreign_identity, from_foreign
from logrouter.router.group import CommitGroup
from logrouter.router.handoff import Handoff
from logrouter.router.outlet import Outlet
from logrouter.router.ownership import Ownership
from logrouter.router.reorder import Assembly, Release
from logrouter.router.resend_requests import ask
from logrouter.router.retransmission import BARRIER, Losses
from logrouter.router.topology import ALL
from logrouter.rules.decision import Decide
from logrouter.support.aio import raise_first, wait, wait_for_any
from logrouter.support.failpoint import reach
from logrouter.wire.batch import Part, from_message, is_batch
from logrouter.wire.probe import is_probe
from logrouter.wire.probe import key as probe_key
from logrouter.wire.routing_key import dead, ingress, matcher
from logrouter.wire.slices import Slice, from_part, salvage

ReadSeverity = Callable[[str], tuple[str, str]]
"""A function from a text to its severity and how that was found."""

_GROUP_BYTES = 8 << 20
_GROUP_SECONDS = 0.2
_TICK = 1.0
_STOP_SECONDS = 10.0

_LOOK_SECONDS, _QUIET_SECONDS, _QUIET_LOOKS = 0.02, 0.005, 5
"""Seconds between two polls of the queue's depth, the same while it is empty, and the number of empty polls in a row
after which it counts as drained. One is not enough, because the depth does not count messages that are on their way to
us. The answer to a poll takes the same way through the broker, so messages that were sent before it arrive soon after.
"""


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """The settings of a router.

    bind: the patterns of the bindings of its ingress queue.
    prefetch, budget: the most messages, and bytes of messages, that it may have unacknowledged.
    hold: seconds for which a gap may hold up its source.
    """

    instance: str = "main"
    bind: Sequence[str] = ALL
    prefetch: int = 512
    budget: int = 48 << 20
    hold: float = 60.0


@dataclass(frozen=True, slots=True)
class RouterContext:
    """What a router keeps from session to session.

    read_severity: used for foreign messages only.
    outlets: the destinations that have queues of their own.
    config: a hash of the rules.
    """

    settings: RouterSettings
    ledger: Ledger
    commits: Committer
    decide: Decide
    read_severity: ReadSeverity
    outlets: tuple[Outlet, ...] = ()
    config: str = ""

    @property
    def handoffs(self) -> list[Handoff]:
        """The queues of all outlets."""
        return [outlet.handoff for outlet in self.outlets]


class IngressSession:
    """The router on one session."""

    def __init__(self, session: Session, routing: RouterContext, retransmission: Losses) -> None:
        settings, ledger = routing.settings, routing.ledger
        bound = [matcher(pattern) for pattern in settings.bind]
        self._session = session
        self._routing = routing
        self._settings = settings
        self._queue = ingress(settings.instance)
        self._assembly: Assembly[Delivery] = Assembly(
            lambda source: ledger.extents(INGRESS, source),
            lambda key: any(matches(key) for matches in bound),
            hold=settings.hold,
            limit=settings.prefetch // 2,
            bytes_limit=settings.budget // 2,
        )
        self._handoffs = {handoff.destination: handoff for handoff in routing.handoffs}
        self._dead_letters = DeadLetters(dead(settings.instance))
        self._group = self._new_group()
        self._group_since = 0.0
        self._ownership = Ownership(ledger)
        self._retransmission = retransmission
        retransmission.decided = self._assembly.decided
        self._in_hand = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._settling: dict[str, int] = {}
        self._closing = self._hurried = False
        self._abandon = asyncio.Event()

    async def serve(self, stop: asyncio.Event, drain: asyncio.Event | None = None) -> None:
        """Route until `stop` is set, or, after `drain` is set, until nothing is left. Raises BrokerError, Retry."""
        consumer = await self._session.consume(
            self._queue, prefetch=self._settings.prefetch, budget=self._settings.budget
        )
        receiving = asyncio.create_task(self._receive(consumer))
        committing = asyncio.create_task(self._commit_groups(consumer))
        ending = asyncio.create_task(self._ending(stop, drain or asyncio.Event()))
        asking = asyncio.create_task(
            ask(self._session, self._retransmission, self._assembly, ledger=self._routing.ledger)
        )
        try:
            await asyncio.wait({receiving, committing, ending, asking}, return_when=asyncio.FIRST_COMPLETED)
            receiving.cancel()
            self._closing = True
            self._changed.set()
            if ending.done():
                await asyncio.wait({committing}, timeout=_STOP_SECONDS)
        finally:
            self._closing = True
            self._abandon.set()
            self._changed.set()
            receiving.cancel()
            ending.cancel()
            asking.cancel()
            # `committing` is never cancelled, because its transaction may be under way in a thread.
            results = await asyncio.gather(receiving, committing, ending, asking, return_exceptions=True)
            await consumer.close()
        raise_first(results)

    async def _receive(self, consumer: Consumer) -> None:
        async for delivery in consumer:
            for each in (delivery, *consumer.drain()):
                self._in_hand += 1
                self._take(each)
                # Also after each quarter of the prefetch, so that the tasks that write and confirm get their turn.
                if self._group.size >= _GROUP_BYTES or not len(self._group.deliveries) % (self._settings.prefetch // 4):
                    await self._give_way()
            self._notice()

    async def _give_way(self) -> None:
        """Let other tasks run, so that a large group is written meanwhile. Wait while the group in memory is full."""
        self._notice()
        await asyncio.sleep(0)
        while self._is_full():
            self._room.clear()
            await self._room.wait()

    def _new_group(self) -> CommitGroup:
        return CommitGroup(self._dead_letters, self._handoffs)

    def _take(self, delivery: Delivery) -> None:
        """Take one delivery. A message that fails goes to the dead letters and stops none of the others."""
        message = delivery.message
        try:
            if is_batch(message):
                part = self._ownership.attribute(from_message(message), message.user_id, self._group.entry)
                self._take_part(part, delivery)
            elif message.type == BARRIER:
                self._retransmission.passed(message.message_id, self._assembly.held_of, time.monotonic(), time.time())
                self._group.deliveries.append(delivery)
            elif is_probe(message) and message.key == probe_key(self._settings.instance):
                self._take_probe(delivery)
            else:
                self._take_foreign(delivery)
        except sqlite3.Error:
            raise  # the ledger fails, and the message is not at fault
        except Exception as error:  # noqa: BLE001  # anybody can publish, so a message can fail in any way
            self._group.add_dead_letter(message, error, delivery)

    def _take_part(self, part: Part, delivery: Delivery) -> None:
        """Take a part of a window. Records that do not decode go to the dead letters, and the rest is taken."""
        piece: Slice | None
        dead_positions: tuple[tuple[int, int], ...] = ()
        try:
            piece = from_part(part)
        except WireError as error:
            piece, left, dead_positions = salvage(part)
            message = replace(delivery.message, body=left or part.body, content_encoding="")
            self._group.add_dead_letter(message, error)
        self._put(self._assembly.add(part, piece, delivery, time.monotonic(), dead_positions))

    def _take_probe(self, delivery: Delivery) -> None:
        """Acknowledge a probe at once, because on the embedded broker a shipper waits for that."""
        self._group.deliveries.append(delivery)
        self._group_since = time.monotonic() - _GROUP_SECONDS
        self._changed.set()

    def _take_foreign(self, delivery: Delivery) -> None:
        message, now = delivery.message, time.time()
        if message.message_id:
            identity = foreign_identity(message)
            known = identity in self._group.entry.seen or identity in self._settling
            if known or self._routing.ledger.seen(identity, int(now) - SEEN_SECONDS):
                metrics.SUPPRESSED.inc()
                self._group.deliveries.append(delivery)
                return
            self._group.entry.seen[identity] = int(now)
        self._group.add_foreign(from_foreign(message, self._routing.read_severity, now), delivery, self._routing.decide)

    def _put(self, releases: Sequence[Release[Delivery]]) -> None:
        for each in releases:
            release = replace(each, late=True) if each.again and self._is_overtaken(each.source) else each
            self._retransmission.came(release.source)
            if release.repeated:
                metrics.SUPPRESSED.inc(release.repeated)
            if release.hole:
                events.WINDOW_GAP.happened(source=release.source, position=min(release.decided)[0])
            if release.late or release.hole:
                metrics.LATE.labels("late" if release.late else "hole").inc()
            self._group.add(release, self._routing.decide)

    def _is_overtaken(self, source: str) -> bool:
        """Report whether a window that comes again may be written behind a later generation of its log."""
        ledger = self._routing.ledger
        return ledger.is_followed(source) or not ledger.extents(INGRESS, source)

    def _notice(self) -> None:
        """Wake the committing task when a group begins, and when it is large enough to be committed."""
        if self._group and not self._group_since:
            self._group_since = time.monotonic()
            self._changed.set()
        elif self._is_large():
            self._changed.set()

    def _is_large(self) -> bool:
        group = self._group
        return group.size >= _GROUP_BYTES or len(group.deliveries) >= self._settings.prefetch // 2

    def _is_full(self) -> bool:
        return self._group.size >= 2 * _GROUP_BYTES

    async def _commit_groups(self, consumer: Consumer) -> None:
        while (group := await self._next_group()) is not None:
            self._settling = group.entry.seen
            await self._routing.commits.commit(group, self._session, self._abandon)
            self._settling = {}
            reach("router.ack.before")
            await consumer.ack(group.deliveries)
            reach("router.ack.after")
            self._in_hand -= len(group.deliveries)
            await self._look_around()

    async def _next_group(self) -> CommitGroup | None:
        """Return the next group when it is due, or None when there is nothing more to commit."""
        while not self._abandon.is_set():
            waited = time.monotonic() - self._group_since if self._group else 0.0
            if self._group and (self._closing or self._hurried or self._is_large() or waited >= _GROUP_SECONDS):
                group, self._group, self._group_since = self._group, self._new_group(), 0.0
                self._room.set()
                return group
            if self._closing:
                return None
            self._changed.clear()
            await wait(self._changed, _GROUP_SECONDS - waited if self._group else _TICK)
            await self._look_around()
        return None

    async def _look_around(self) -> None:
        """Give up expired gaps and let destinations tidy up. Runs after each commit, so under load as well."""
        self._put(self._assembly.expire(time.monotonic()))
        self._notice()
        await self._routing.commits.tidy()

    async def _ending(self, stop: asyncio.Event, drain: asyncio.Event) -> None:
        """Wait for `stop`, or, after `drain` is set, until the queue is empty and nothing is in hand."""
        await wait_for_any(stop, drain)
        quiet = 0
        while not stop.is_set():
            if await self._session.depth(self._queue) == 0:
                self._hurried = True
                self._changed.set()
                quiet = quiet + 1 if self._in_hand == 0 else 0
            else:
                quiet = 0
            if quiet == _QUIET_LOOKS:
                return
            await wait(stop, _QUIET_SECONDS if quiet else _LOOK_SECONDS)
