"""What a row of the table holds: figures of several rounds, and bars. Pure.

In come the values of rounds, out go their median, least and most, and whether each bar is met.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One rival's values, one a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise. what: in words, after the value.   value: what it is now; None where it could not be measured.

    least, most: what it should be; just one of them is given.
    """

    what: str
    value: float | None
    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """None where nothing was measured."""
        if self.value is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


@dataclass(frozen=True, slots=True)
class Row:
    """what: the name of the row.   how: what was measured.   figures: by rival, ours first; None is "not installed".

    notes: what else was seen, for whoever reads the table.
    """

    what: str
    how: str
    unit: str
    figures: Mapping[str, Figure | None]
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = field(default=())


def ratio(ours: Figure | None, theirs: Figure | None) -> float | None:
    """How many times theirs ours is, by the medians."""
    return None if ours is None or theirs is None else ours.median / theirs.median


def median(figure: Figure | None) -> float | None:
    """The middle one, where it was measured."""
    return None if figure is None else figure.median
