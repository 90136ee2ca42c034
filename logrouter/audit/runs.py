"""Runs of records: records of one source in one archive path, each behind the one before. Pure.

A run is compressed to a byte or two for each record. The runs of a source show which of its records an archive holds
twice, out of order, or without a decision.
"""

from __future__ import annotations

import heapq
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from operator import le, sub
from typing import NamedTuple

from logrouter.wire.ranges import Ranges

_CODE = "q"
_LEVEL = 1


class Run(NamedTuple):
    """Records of a source, each behind the one before.

    path: the number of their path.   begun: how many runs of the archive began before this one.
    first, last: where the first and the last record begin.   stop: where the last one ends.
    day: the latest day under which one is filed.   packed: the gap before each and its length, compressed.
    """

    path: int
    begun: int
    records: int
    first: int
    last: int
    stop: int
    day: str
    packed: bytes

    def places(self) -> Iterator[tuple[int, int]]:
        """Return where each record begins and ends."""
        steps = array(_CODE)
        steps.frombytes(zlib.decompress(self.packed))
        edges = islice(accumulate(steps, initial=self.first), 1, None)
        return zip(edges, edges, strict=True)


class Running:
    """A run to which records are still added. day: the latest under which one is filed."""

    __slots__ = ("_steps", "begun", "day", "first", "last", "path", "stop")

    def __init__(self, path: int, begun: int, first: int) -> None:
        self.path = path
        self.begun = begun
        self.first = self.stop = self.last = first
        self.day = ""
        self._steps = array(_CODE)

    def __len__(self) -> int:
        return len(self._steps) // 2

    def extend(self, starts: Sequence[int], stops: Sequence[int], day: str) -> None:
        """Add records, each of which begins behind the end of the one before."""
        gaps = map(sub, starts, chain((self.stop,), stops))
        self._steps.extend(chain.from_iterable(zip(gaps, map(sub, stops, starts), strict=False)))
        self.last, self.stop, self.day = starts[-1], stops[-1], max(day, self.day)

    def run(self) -> Run:
        """Return the run as it is now."""
        packed = zlib.compress(self._steps.tobytes(), _LEVEL)
        return Run(self.path, self.begun, len(self), self.first, self.last, self.stop, self.day, packed)


def are_behind(starts: Sequence[int], stops: Sequence[int]) -> bool:
    """Report whether each record begins behind the end of the one before."""
    return all(map(le, stops, islice(starts, 1, None)))


@dataclass(frozen=True, slots=True)
class ArchivedRecords:
    """What an archive holds of a source.

    twice: records that are there again.   disordered: records that follow later ones.   unknown: records never decided.
    first_twice, first_unknown: the position of the first of each.
    """

    records: int = 0
    twice: int = 0
    first_twice: int = 0
    disordered: int = 0
    unknown: int = 0
    first_unknown: int = 0


def held(runs: Sequence[Run], decided: Ranges) -> ArchivedRecords:
    """Compare the runs of a source, in the order in which they were read, with what is decided of it."""
    twice = unknown = first_twice = first_unknown = 0
    for together in _overlapping(runs):
        begin, end = together[0].first, max(run.stop for run in together)
        is_known = decided.covers(begin, end)
        if len(together) == 1 and is_known:
            continue
        reached = begin
        for start, stop in heapq.merge(*(run.places() for run in together)):
            if start < reached:
                first_twice = first_twice if twice else start
                twice += 1
            elif not is_known and not decided.covers(start, stop):
                first_unknown = first_unknown if unknown else start
                unknown += 1
            reached = max(reached, stop)
    return ArchivedRecords(
        records=sum(run.records for run in runs),
        twice=twice,
        first_twice=first_twice,
        disordered=_disordered(runs),
        unknown=unknown,
        first_unknown=first_unknown,
    )


def overtaken(runs: Iterable[Run], before: Iterable[Run], reached: int) -> int:
    """Return how many records of the generation before follow these in their path.

    reached: up to where that generation had been read. Only its records before that are counted.
    """
    begun: dict[int, int] = {}
    for run in runs:
        begun[run.path] = min(begun.get(run.path, run.begun), run.begun)
    behind = (run for run in before if run.first < reached and run.begun > begun.get(run.path, run.begun))
    return sum(start < reached for run in behind for start, _ in run.places())


def _overlapping(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Yield the runs in groups that overlap; most groups are one run."""
    together: list[Run] = []
    reached = -1
    for run in sorted(runs, key=lambda run: run.first):
        if together and run.first >= reached:
            yield together
            together = []
        together.append(run)
        reached = max(reached, run.stop)
    if together:
        yield together


def _disordered(runs: Iterable[Run]) -> int:
    """Return how many records follow a later one in their path."""
    found = 0
    before: dict[int, int] = {}
    for run in runs:
        reached = before.get(run.path, -1)
        if run.first < reached:
            found += sum(start < reached for start, _ in run.places())
        before[run.path] = max(reached, run.last)
    return found
