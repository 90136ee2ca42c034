"""States that last, such as a broker that is out of reach: an event when one begins, another when it ends."""

from __future__ import annotations

import time
from typing import NamedTuple
from weakref import WeakSet

from logrouter.observability.events import Event


class Holding(NamedTuple):
    """A state that holds. name: of the event that began it.   level: of that, as in logging.   since: Unix time."""

    name: str
    level: int
    since: float
    sentence: str


_conditions: WeakSet[Condition] = WeakSet()


class Condition:
    """Logged when it begins and when it ends, not each time it is noticed in between."""

    def __init__(self, begins: Event, ends: Event) -> None:
        self._begins = begins
        self._ends = ends
        self._holding: Holding | None = None
        _conditions.add(self)

    @property
    def holds(self) -> bool:
        """Whether it has begun and not ended."""
        return self._holding is not None

    @property
    def holding(self) -> Holding | None:
        """What began, and when; None if it does not hold."""
        return self._holding

    def begin(self, **details: object) -> None:
        """It holds from now on."""
        if self._holding is None:
            sentence = self._begins.happened(**details)
            self._holding = Holding(self._begins.name, self._begins.level, time.time(), sentence)

    def end(self, **details: object) -> None:
        """It does not hold; logged if it held before."""
        if self._holding is not None:
            self.confirm_end(**details)

    def confirm_end(self, **details: object) -> None:
        """It does not hold; logged even if it did not hold before."""
        self._holding = None
        self._ends.happened(**details)


def holding() -> list[Holding]:
    """All states that hold in this process, the longest first."""
    found = [each.holding for each in list(_conditions)]
    return sorted((each for each in found if each is not None), key=lambda each: each.since)
