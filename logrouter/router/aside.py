"""Inline destinations that are stuck: set aside with a queue of their own, until that queue is written off.

In come windows that a destination cannot take now, out go messages in its hand-off queue, and from there windows again,
in the same order. What was written from such a queue is known in the ledger under the destination's own stage, so that
a window which reaches the destination both ways is written once.

The parts of a window are published one after the other. A window of which some are missing was never committed: it
comes again from the ingress queue, so what there is of it can be dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from logrouter.batch import Part, from_message
from logrouter.broker.contract import Delivery, Queue, QueueKind, Session
from logrouter.destinations.contract import Window
from logrouter.errors import BrokerError, SessionLost
from logrouter.extents import Extents
from logrouter.faultpoint import reach
from logrouter.ledger.ledger import INGRESS, Entry, Ledger
from logrouter.observe import events
from logrouter.router.handoff import Handoff
from logrouter.slices import Slice, from_part


class Aside:
    """Which inline destinations of an instance are set aside. stuck: set for those, by name."""

    def __init__(self, ledger: Ledger, instance: str, names: Iterable[str]) -> None:
        self._ledger = ledger
        self._instance = instance
        self.stuck = {name: asyncio.Event() for name in names}
        self._locks = {name: asyncio.Lock() for name in self.stuck}
        self._written = {name: ledger.stage(name) for name in self.stuck}

    def handoff(self, name: str) -> Handoff:
        """The queues of a destination."""
        return Handoff(self._instance, name)

    def __contains__(self, name: str) -> bool:
        return name in self.stuck and self.stuck[name].is_set()

    async def look(self, session: Session) -> None:
        """Set aside whatever has a queue that is not written off yet: a router before this one left it."""
        for name, stuck in self.stuck.items():
            if not stuck.is_set() and await depth(session, self.handoff(name).records):
                events.SET_ASIDE.happened(destination=name, reason="its queue is not empty yet")
                stuck.set()

    async def begin(self, session: Session, name: str, reason: object) -> None:
        """Set a destination aside. Raises BrokerError."""
        queue = Queue(self.handoff(name).records, QueueKind.HANDOFF)
        is_new = await depth(session, queue.name) is None
        await session.declare_queue(queue)
        if is_new:
            await session.settle()
        events.SET_ASIDE.happened(destination=name, reason=reason)
        self.stuck[name].set()

    async def hand_over(self, session: Session, name: str, windows: Sequence[Window]) -> bool:
        """Put windows into the destination's queue; false if it takes them itself again. Raises BrokerError."""
        async with self._locks[name]:
            if name not in self:
                return False
            handoff = self.handoff(name)
            messages = [message for window in windows for message in handoff.window(window)]
            await asyncio.gather(*(session.publish("", message) for message in messages))
            reach("aside.handoff.confirmed")
            return True

    async def end_if_drained(self, session: Session, name: str) -> bool:
        """Let a destination take records itself again if nothing is left in its queue."""
        async with self._locks[name]:
            if await depth(session, self.handoff(name).records):
                return False
            self.stuck[name].clear()
            events.INLINE_AGAIN.happened(destination=name)
            return True

    def unwritten(self, name: str, windows: Sequence[Window]) -> Sequence[Window]:
        """The windows without what was written from the destination's queue already."""
        written = self._written.get(name)
        if not written:
            return windows
        kept = ([_without(piece, written.get(piece.source)) for piece in window] for window in windows)
        return [left for window in kept if (left := [piece for piece in window if piece is not None])]

    def entry(self, name: str, windows: Sequence[Window]) -> Entry:
        """What the ledger is to hold once these windows are written from the destination's queue."""
        entry = Entry()
        for piece in (piece for window in windows for piece in window if not piece.is_foreign):
            entry.add_decided(name, piece.source, ((place.pos, place.end) for place in piece.places))
        return entry

    def remember(self, entry: Entry) -> None:
        """That entry is in the ledger."""
        for (name, source), ranges in entry.decided.items():
            known = self._written[name].setdefault(source, Extents())
            for start, end in ranges:
                known.add(start, end)

    def forget(self) -> None:
        """Drop what the ingress queue cannot bring again. Raises sqlite3.Error."""
        for name, sources in self._written.items():
            for source, extents in list(sources.items()):
                decided = self._ledger.extents(INGRESS, source)
                if name not in self and all(decided.covers(start, end) for start, end in extents):
                    self._ledger.forget_stage(name, source)
                    del sources[source]


class Windows:
    """Deliveries of a destination's queue -> whole windows, and the deliveries that are settled with each."""

    def __init__(self) -> None:
        self._begun: list[tuple[Part, Delivery]] = []

    def __bool__(self) -> bool:
        """Whether a window has begun and is not whole."""
        return bool(self._begun)

    def add(self, delivery: Delivery) -> tuple[Window, list[Delivery]]:
        """What this delivery completes, a window of no slices if nothing; and what is settled with that."""
        part = from_message(delivery.message)
        settled = [] if self._continues(part) else self.drop()
        if part.part == len(self._begun):
            self._begun.append((part, delivery))
        else:
            settled.append(delivery)
        if not self._begun or len(self._begun) < len(part.keys):
            return (), settled
        window = [from_part(part) for part, _ in self._begun]
        return window, settled + self.drop()

    def drop(self) -> list[Delivery]:
        """Give up the window that has begun."""
        dropped = [delivery for _, delivery in self._begun]
        self._begun.clear()
        return dropped

    def _continues(self, part: Part) -> bool:
        begun = self._begun[0][0] if self._begun else part
        return (part.source, part.from_, part.to, part.keys) == (begun.source, begun.from_, begun.to, begun.keys) and (
            part.part == len(self._begun)
        )


async def depth(session: Session, queue: str) -> int | None:
    """Messages that are ready in a queue, None if it is not there. Raises SessionLost."""
    try:
        return await session.depth(queue)
    except SessionLost:
        raise
    except BrokerError:
        return None


def _without(piece: Slice, written: Extents | None) -> Slice | None:
    if written is None or piece.is_foreign:
        return piece
    return piece.select([not written.touches(place.pos, place.end) for place in piece.places])
