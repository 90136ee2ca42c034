"""What the broker lost: which ranges of sources are missing, and when to ask their shippers for them again. Pure.

A confirm says that a message is in some queue, which may be a listener's alone. So what a shipper states as confirmed,
and what lies before a window that came, is asked for until it comes, the shipper says that it is gone, or it was asked
for often enough.
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
"""Seconds for which a gap may be nothing but an order that was mixed up."""

_BACKOFF = Backoff(4.0, 600.0)
"""Seconds between two requests for the same."""

_MOST_ASKED = 20
"""Requests for the same: they span more than an hour."""

_MOST_BARRIERS = 100
"""On their way at a time; of older ones the next statement says the same."""

_MOST_SOURCES = 10_000
"""Sources that are asked for at a time; others wait for the next statement that names them."""


@dataclass(frozen=True, slots=True)
class Shipper:
    """Whose a source is: its host, and the id of its state directory."""

    host: str = ""
    reporter: str = ""


@dataclass(frozen=True, slots=True)
class Inherited:
    """A source that a further life of a state directory goes on with.   own: its name in that life.

    stated: how far that life says that it is, under the name that it has had from the beginning.
    """

    stated: SourceStatement
    own: str

    def end(self, own: Ranges) -> int:
        """Up to where it was shipped before that life began.   own: what has come of it in that life."""
        return min(own.start, self.stated.confirmed) if own else self.stated.confirmed


@dataclass(slots=True)
class _Asked:
    """What is asked for of a source, how often it was, and when to ask next."""

    ranges: Ranges
    due: float
    asked: int = 0


class _Stated(NamedTuple):
    """What a barrier is for."""

    lagging: Sequence[SourceStatement] = ()
    inherited: Sequence[Inherited] = ()


@dataclass(slots=True)
class Losses:
    """What an instance misses. decided: what it has of a source.   born: when it began (Unix time).

    of_lives: what it has of a source in all lives of its state directory.
    changed: ranges whose outcome is new, for the ledger.   whole: sources of which all that was missing has come.
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
        """Go on with what the ledger has."""
        for missing in self.known:
            if missing.outcome == ASKED:
                self._want(missing.source, [(missing.start, missing.end)], 0.0)
            else:
                self._settle(missing.source, [(missing.start, missing.end)])

    def belongs(self, source: str, shipper: Shipper) -> None:
        """A source is of that shipper."""
        if source in self._shippers or len(self._shippers) < 20 * _MOST_SOURCES:
            self._shippers[source] = shipper

    def stated(self, lagging: Sequence[SourceStatement], inherited: Sequence[Inherited] = ()) -> str:
        """What a shipper says to be confirmed, of sources that lack some of it.

        It may be on its way still. Returns the id of a barrier: once that has come through the ingress queue, all that
        was confirmed before the statement has come through it as well.
        """
        barrier = token_hex(8)
        self._barriers[barrier] = _Stated(lagging, inherited)
        while len(self._barriers) > _MOST_BARRIERS:
            self._barriers.popitem(last=False)
        return barrier

    def heard(self, sources: Iterable[SourceStatement], at: float) -> None:
        """How far sources are of which nothing confirmed lacks: what comes from now on is for this instance.

        at: Unix time.
        """
        for each in sources:
            if self._may_be_older(each):
                self._note(each.source, [(each.confirmed, each.confirmed)], BEFORE, at)

    def _may_be_older(self, source: SourceStatement) -> bool:
        """Whether some of a source may have been shipped before there was this instance: nobody has said more of it."""
        return source.since < self.born and source.source not in self._settled

    def passed(self, barrier: str, held: Callable[[str], Iterable[tuple[int, int]]], now: float, at: float) -> None:
        """A barrier has come. held: the windows of a source that wait. now: monotonic, at: Unix time."""
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
        """These ranges did not come. now: monotonic, at: Unix time."""
        new = [gap for each in ranges for gap in self._unsettled(source, *each)]
        fresh = [gap for each in new for gap in self._wanted_of(source).missing(*each)]
        if fresh and (source in self._wanted or len(self._wanted) < _MOST_SOURCES):
            self._want(source, fresh, now)
            self.changed += [MissingRange(source, *each, ASKED, at) for each in fresh]

    def is_gone(self, source: str, ranges: Iterable[tuple[int, int]], at: float) -> None:
        """The shipper cannot read these any more; in a further life, nor what was asked for of what that inherited."""
        left = [gap for each in ranges for gap in self.decided(source).missing(*each)]
        self._note(source, [gap for each in left for gap in self._unsettled(source, *each)], GONE, at)
        if (first := stated_source(source)) != source:
            asked = [
                (max(start, begin), min(end, stop)) for start, end in ranges for begin, stop in self._wanted_of(first)
            ]
            self.is_gone(first, [(start, end) for start, end in asked if start < end], at)

    def due(self, now: float, at: float) -> Iterator[tuple[str, Request]]:
        """The requests to make now, each with the host that it is for."""
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
        """Something of a source has come: look at the next occasion whether all has."""
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
