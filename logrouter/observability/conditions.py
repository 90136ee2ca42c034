"""Conditions: states that last, such as an unreachable broker. One event is logged at the beginning, one at the end."""

from __future__ import annotations

import time
from typing import NamedTuple
from weakref import WeakSet

from logrouter.observability.events import Event


class Holding(NamedTuple):
    """A condition that holds. name, level, sentence: those of the event that began it.   since: Unix time."""

    name: str
    level: int
    since: float
    sentence: str


_conditions: WeakSet[Condition] = WeakSet()


class Condition:
    """A state that is logged when it begins and when it ends, not each time it is noticed in between."""

    def __init__(self, begins: Event, ends: Event) -> None:
        self._begins = begins
        self._ends = ends
        self._holding: Holding | None = None
        _conditions.add(self)

    @property
    def holds(self) -> bool:
        """Whether the condition holds."""
        return self._holding is not None

    @property
    def holding(self) -> Holding | None:
        """The event that began the condition, and when; None if the condition does not hold."""
        return self._holding

    def begin(self, **details: object) -> None:
        """Begin the condition. Logs the first event unless the condition holds already."""
        if self._holding is None:
            sentence = self._begins.happened(**details)
            self._holding = Holding(self._begins.name, self._begins.level, time.time(), sentence)

    def end(self, **details: object) -> None:
        """End the condition. Logs the second event if the condition holds."""
        if self._holding is not None:
            self.confirm_end(**details)

    def confirm_end(self, **details: object) -> None:
        """End the condition. Logs the second event even if the condition does not hold."""
        self._holding = None
        self._ends.happened(**details)


def holding() -> list[Holding]:
    """Return all conditions that hold in this process, the oldest first."""
    found = [each.holding for each in list(_conditions)]
    return sorted((each for each in found if each is not None), key=lambda each: each.since)
