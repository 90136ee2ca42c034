"""Windows -> confirmed publishes, on one session: whole windows, in order, positions only past what is safe.

In come the parts of windows and the source that each was read from; out go messages, and to the source either the word
that its oldest window is confirmed, or that it is to go back. Going back is the one answer to every failure: the
windows are read again, and the router drops what it had already.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from logrouter.broker.contract import EXCHANGE, Session
from logrouter.errors import BrokerError, NotFound, PublishRefused, SessionLost, Unroutable
from logrouter.observability.conditions import Condition
from logrouter.observability.metrics import SHIPPED
from logrouter.support.backoff import Backoff
from logrouter.support.failpoint import reach
from logrouter.wire.batch import Part, to_message
from shippers.lease import Lease

IN_FLIGHT = 4 << 20
"""Bytes published and not confirmed; a window is admitted whole while there are less.

Twice as much shipped 7 % more and took 8 MB more memory, four times as much gained little on that. Over 50 ms to the
broker it is still 80 MB/s.
"""

_BACKOFF = Backoff(0.1, 10.0)
"""Seconds for which a source rests after its first refusal, and after many."""


class WindowSource(Protocol):
    """What windows are read from."""

    def confirm(self, records: int) -> None:
        """The oldest window that it handed out is safe; it came to so many records."""

    def rewind(self, due: float) -> bool:
        """Hand out again, from time.monotonic() `due` on, what is not confirmed; false if that is gone for good."""


@dataclass(slots=True, eq=False)
class _PendingWindow:
    """A window under way."""

    counted_as: str
    lines: int
    size: int
    confirmed: bool = False


@dataclass(slots=True)
class _Lane:
    """The windows of one source under way, oldest first, and how often in a row it was refused."""

    name: str
    source: WindowSource
    sent: deque[_PendingWindow] = field(default_factory=deque)
    refusals: int = 0


class Publisher:
    """Publishes on `session`, and sets `changed` whenever a window was answered or the session is lost.

    lease: under which windows go out.   refused: whether the broker `name` takes no messages, over all sessions.
    limit: bytes published and not confirmed; a window is admitted whole while there are less.
    """

    def __init__(
        self, session: Session, name: str, lease: Lease, changed: asyncio.Event, refused: Condition, *, limit: int
    ) -> None:
        self._session = session
        self._lease = lease
        self._name = name
        self._changed = changed
        self._limit = limit
        self._in_flight = 0
        self._lanes: dict[str, _Lane] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._trouble: BaseException | None = None
        self._refused = refused
        self._lost = asyncio.create_task(session.lost())
        self._lost.add_done_callback(lambda _: changed.set())

    @property
    def has_room(self) -> bool:
        """Whether another window may be published."""
        return self._in_flight < self._limit

    def check(self) -> None:
        """Raise SessionLost if the session is gone, Forbidden if nothing more may be published on it."""
        if self._trouble is not None:
            raise self._trouble
        if self._lost.done():
            raise SessionLost(self._lost.result())

    def publish(self, source: WindowSource, parts: Sequence[Part], counted_as: str) -> None:
        """Send a window; the next one of the same source is to be the one that follows it."""
        name = parts[0].source
        lane = self._lanes.setdefault(name, _Lane(name, source))
        sent = _PendingWindow(counted_as, sum(part.count for part in parts), sum(len(part.body) for part in parts))
        lane.sent.append(sent)
        self._in_flight += sent.size
        reach("ship.publish.before")
        answers = [
            asyncio.ensure_future(
                self._session.publish(EXCHANGE, to_message(replace(part, session=self._lease.session)))
            )
            for part in parts
        ]
        reach("ship.publish.after")
        task = asyncio.create_task(self._settle(lane, sent, answers))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def finish(self, seconds: float) -> None:
        """Wait until all windows are answered, at most so long."""
        if self._answers:
            await asyncio.wait(self._answers, timeout=seconds)

    def abandon(self) -> None:
        """The session is over: what is not confirmed is to be read again."""
        for task in (self._lost, *self._answers):
            task.cancel()
        for lane in self._lanes.values():
            lane.source.rewind(0.0)
        self._lanes.clear()

    async def _settle(self, lane: _Lane, sent: _PendingWindow, answers: Sequence[asyncio.Future[None]]) -> None:
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        self._in_flight -= sent.size
        self._changed.set()
        failure = next((outcome for outcome in outcomes if outcome is not None), None)
        if sent not in lane.sent:
            return  # the source went back meanwhile, and hands it out again
        if failure is None:
            sent.confirmed = True
            self._confirm(lane)
        elif isinstance(failure, NotFound | PublishRefused | Unroutable):
            self._send_back(lane, failure)
        else:
            self._trouble = self._trouble or failure

    def _confirm(self, lane: _Lane) -> None:
        while lane.sent and lane.sent[0].confirmed:
            oldest = lane.sent.popleft()
            reach("ship.confirm.before")
            lane.source.confirm(oldest.lines)
            reach("ship.confirm.after")
            lane.refusals = 0
            SHIPPED.labels(oldest.counted_as).inc(oldest.lines)
        if not lane.sent and not lane.refusals:
            self._lanes.pop(lane.name, None)
        if self._refused.holds and not any(each.refusals for each in self._lanes.values()):
            self._refused.end(broker=self._name)

    def _send_back(self, lane: _Lane, reason: BrokerError) -> None:
        lane.refusals += 1
        lane.sent.clear()
        if not lane.source.rewind(time.monotonic() + _BACKOFF.pause(lane.refusals)):
            self._lanes.pop(lane.name, None)
        self._refused.begin(broker=self._name, reason=reason)
