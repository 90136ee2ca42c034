"""Sets of positions, such as the bytes of a source that were read, confirmed or decided.

Half-open ranges `[start, end)` can be added in any order and with any overlap. A set keeps the shortest sorted list of
ranges that covers the same positions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

_SHOWN = 3


def format_ranges(ranges: Sequence[tuple[int, int]]) -> str:
    """Return the first few ranges as text, and how many more there are."""
    more = f" and {len(ranges) - _SHOWN} more ranges" if len(ranges) > _SHOWN else ""
    return ", ".join(f"[{start}, {end})" for start, end in ranges[:_SHOWN]) + more


class Ranges:
    """A set of positions, as sorted ranges that do not overlap or touch. Adding at the end, as usual, is cheap."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add `[start, end)` to the set. An empty range changes nothing."""
        if start >= end:
            return
        starts, ends = self._starts, self._ends
        first = bisect_left(ends, start)
        last = bisect_right(starts, end)
        if first < last:
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]

    def covers(self, start: int, end: int) -> bool:
        """Report whether every position of `[start, end)` is in the set. True for an empty range."""
        if start >= end:
            return True
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and end <= self._ends[index]

    def touches(self, start: int, end: int) -> bool:
        """Report whether any position of `[start, end)` is in the set. False for an empty range."""
        index = bisect_right(self._ends, start)
        return start < end and index < len(self._starts) and self._starts[index] < end

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the ranges of `[start, end)` that are not in the set, in order."""
        gaps = []
        for index in range(bisect_right(self._ends, start), len(self._starts)):
            if self._starts[index] >= end:
                break
            if self._starts[index] > start:
                gaps.append((start, self._starts[index]))
            start = self._ends[index]
        if start < end:
            gaps.append((start, end))
        return gaps

    @property
    def start(self) -> int:
        """The lowest position, or 0 for the empty set."""
        return self._starts[0] if self._starts else 0

    @property
    def end(self) -> int:
        """One past the highest position, or 0 for the empty set."""
        return self._ends[-1] if self._ends else 0

    def copy(self) -> Ranges:
        twin = Ranges()
        twin._starts = self._starts.copy()
        twin._ends = self._ends.copy()
        return twin

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    @property
    def size(self) -> int:
        """The number of positions. Not `__len__`, because `list(ranges)` would reserve memory for each position."""
        return sum(self._ends) - sum(self._starts)

    @property
    def count(self) -> int:
        """The number of ranges."""
        return len(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and (self._starts, self._ends) == (other._starts, other._ends)

    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"
