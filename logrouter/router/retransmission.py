"""Tracks what the broker lost: which ranges of sources are missing, and when to request them from their shippers. Pure.

A confirm means that a message is in some queue, and that may be only the queue of a listener. So a router requests what
a shipper states as confirmed, and what lies before a window that came, until it comes, the shipper states that it is
gone, or it was requested often enough.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

from logrouter.ledger.losses import ASKED, BEFORE, GONE, MissingRange
from logrouter.router.ownership import stated_source
from logrouter.support.backoff import Backoff
from logrouter.wire.ranges import Ranges
from logrouter.wire.request import MOST_RANGES, Request, WantedRanges
from logrouter.wire.statement import SourceStatement

BARRIER = "logrouter.barrier/1"
"""The type of a message that a router sends to itself through its ingress queue."""

PATIENCE = 2.0
"""Seconds for which a gap may only mean that messages came out of order."""

_BACKOFF = Backoff(4.0, 600.0)
"""Seconds between two requests for the same ranges."""

_MOST_ASKED = 20
"""The most requests for the same ranges. They span more than an hour."""

_MOST_BARRIERS = 100
"""The most barriers under way. Older ones are dropped, because the next statement states the same."""

_MOST_SOURCES = 10_000
"""The most sources that are requested at a time. Others wait for the next statement that names them."""


@dataclass(frozen=True, slots=True)
class Shipper:
    """The shipper of a source: its host, and the id of its state directory. Both are '' if they are not known."""

    host: str = ""
    reporter: str = ""


@dataclass(frozen=True, slots=True)
class Inherited:
    """A source that a further life of a state directory continues.

    stated: what that life states about it, under its original name.
    own: its name in that life.
    """

    stated: SourceStatement
    own: str

    def end(self, own: Ranges) -> int:
        """Return up to where it was shipped before that life began.   own: what has come of it in that life."""
        return min(own.start, self.stated.confirmed) if own else self.stated.confirmed


@dataclass(slots=True)
class _Asked:
    """The ranges of a source that are requested, when to request them next, and how often that was done."""

    ranges: Ranges
    due: float
    asked: int = 0


class _Stated(NamedTuple):
    """The sources to check when a barrier has come back."""

    lagging: Sequence[SourceStatement] = ()
    inherited: Sequence[Inherited] = ()


@dataclass(slots=True)
class Losses:
    """The ranges that an instance misses.

    decided: returns what the instance has of a source.
    of_lives: returns what it has of a source in all lives of the state directory.
    born: when the instance began (Unix time).
    known: the ranges in the ledger.
    changed: ranges whose outcome is new, to save to the ledger.
    whole: sources of which everything that was missing has come, to save to the ledger.
    """

    instance: str
    decided: Callable[[str], Ranges]
    of_lives: Callable[[str], Ranges]
    born: float = 0.0
    known: Iterable[MissingRange] = ()
    changed: list[MissingRange] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    _barriers: OrderedDict[str, _Stated] = field(default_factory=OrderedDict)
    _wanted: dict[str, _Asked] = field(default_factory=dict)
    _settled: dict[str, Ranges] = field(default_factory=dict)
    _shippers: dict[str, Shipper] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for missing in self.known:
            if missing.outcome == ASKED:
                self._want(missing.source, [(missing.start, missing.end)], 0.0)
            else:
                self._settle(missing.source, [(missing.start, missing.end)])

    def belongs(self, source: str, shipper: Shipper) -> None:
        """Note the shipper of a source, for requests."""
        if source in self._shippers or len(self._shippers) < 20 * _MOST_SOURCES:
            self._shippers[source] = shipper

    def stated(self, lagging: Sequence[SourceStatement], inherited: Sequence[Inherited] = ()) -> str:
        """Note sources of which something has not come that their shipper states as confirmed. Return a barrier's id.

        The messages may still be in the ingress queue. When the barrier has come through it, all that was confirmed
        before the statement has come too; call `passed` then.
        """
        barrier = token_hex(8)
        self._barriers[barrier] = _Stated(lagging, inherited)
        while len(self._barriers) > _MOST_BARRIERS:
            self._barriers.popitem(last=False)
        return barrier

    def heard(self, sources: Iterable[SourceStatement], at: float) -> None:
        """Note how far sources are of which nothing confirmed is missing. What comes later is for this instance.

        at: Unix time.
        """
        for each in sources:
            if self._may_be_older(each):
                self._note(each.source, [(each.confirmed, each.confirmed)], BEFORE, at)

    def _may_be_older(self, source: SourceStatement) -> bool:
        """Report whether part of a source may have been shipped before this instance began.

        That is the case if the source is older than the instance and no range of it has an outcome yet.
        """
        return source.since < self.born and source.source not in self._settled

    def passed(self, barrier: str, held: Callable[[str], Iterable[tuple[int, int]]], now: float, at: float) -> None:
        """Note that a barrier has come: what still lacks of its sources is missing.

        held: returns the windows of a source that wait.   now: monotonic time.   at: Unix time.
        """
        stated = self._barriers.pop(barrier, _Stated())

        def here(known: Ranges, source: str) -> Ranges:
            found = known.copy()
            for start, end in held(source):
                found.add(start, end)
            return found

        for inherited in stated.inherited:
            source = inherited.stated.source
            end = inherited.end(here(self.decided(inherited.own), inherited.own))
            if not self._may_be_older(inherited.stated):
                self.misses(source, here(self.of_lives(source), source).missing(inherited.stated.start, end), now, at)
        for each in stated.lagging:
            ranges = here(self.decided(each.source), each.source).missing(each.start, each.confirmed)
            if self._may_be_older(each):
                self._note(each.source, [*ranges, (each.confirmed, each.confirmed)], BEFORE, at)
            else:
                self.misses(each.source, ranges, now, at)

    def misses(self, source: str, ranges: Iterable[tuple[int, int]], now: float, at: float) -> None:
        """Note that these ranges did not come. now: monotonic time.   at: Unix time."""
        new = [gap for each in ranges for gap in self._unsettled(source, *each)]
        fresh = [gap for each in new for gap in self._wanted_of(source).missing(*each)]
        if fresh and (source in self._wanted or len(self._wanted) < _MOST_SOURCES):
            self._want(source, fresh, now)
            self.changed += [MissingRange(source, *each, ASKED, at) for each in fresh]

    def is_gone(self, source: str, ranges: Iterable[tuple[int, int]], at: float) -> None:
        """Note that the shipper can no longer read these ranges.

        For a further life this includes what was requested of the ranges that it inherited.
        """
        left = [gap for each in ranges for gap in self.decided(source).missing(*each)]
        self._note(source, [gap for each in left for gap in self._unsettled(source, *each)], GONE, at)
        if (first := stated_source(source)) != source:
            asked = [
                (max(start, begin), min(end, stop)) for start, end in ranges for begin, stop in self._wanted_of(first)
            ]
            self.is_gone(first, [(start, end) for start, end in asked if start < end], at)

    def due(self, now: float, at: float) -> Iterator[tuple[str, Request]]:
        """Yield the requests to publish now, each with the host that it is for, '' for all."""
        by_shipper: dict[Shipper, list[WantedRanges]] = {}
        for source, wanted in list(self._wanted.items()):
            if wanted.due > now:
                continue
            left = self._left(source, wanted)
            if not left:
                del self._wanted[source]
                self.whole.add(source)
            elif wanted.asked >= _MOST_ASKED:
                self._note(source, left, GONE, at)
            else:
                wanted.asked += 1
                wanted.due = now + _BACKOFF.pause(wanted.asked)
                shipper = self._shippers.get(source, Shipper())
                by_shipper.setdefault(shipper, []).append(WantedRanges(stated_source(source), left[:MOST_RANGES]))
        for shipper, wants in by_shipper.items():
            yield shipper.host, Request(self.instance, shipper.reporter, wants)

    def came(self, source: str) -> None:
        """Note that records of a source have come: the next `due` checks whether all have."""
        if wanted := self._wanted.get(source):
            wanted.due = min(wanted.due, 0.0)
            wanted.asked = max(wanted.asked - 1, 0)

    def _left(self, source: str, wanted: _Asked) -> list[tuple[int, int]]:
        decided = self.decided(source)
        return [gap for start, end in wanted.ranges for gap in decided.missing(start, end)]

    def _want(self, source: str, ranges: Iterable[tuple[int, int]], due: float) -> None:
        wanted = self._wanted.setdefault(source, _Asked(Ranges(), due))
        for start, end in ranges:
            wanted.ranges.add(start, end)

    def _wanted_of(self, source: str) -> Ranges:
        return self._wanted[source].ranges if source in self._wanted else Ranges()

    def _unsettled(self, source: str, start: int, end: int) -> list[tuple[int, int]]:
        return self._settled[source].missing(start, end) if source in self._settled else [(start, end)]

    def _note(self, source: str, ranges: Iterable[tuple[int, int]], outcome: str, at: float) -> None:
        given = list(ranges)
        self._settle(source, given)
        self.changed += [MissingRange(source, *each, outcome, at) for each in given]
        if wanted := self._wanted.get(source):
            rest = Ranges(gap for each in wanted.ranges for gap in self._unsettled(source, *each))
            if rest:
                wanted.ranges = rest
            else:
                del self._wanted[source]

    def _settle(self, source: str, ranges: Iterable[tuple[int, int]]) -> None:
        settled = self._settled.setdefault(source, Ranges())
        for start, end in ranges:
            settled.add(start, end)
