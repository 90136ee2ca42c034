"""Pauses between attempts."""

from __future__ import annotations

import random
from typing import NamedTuple

_MOST_DOUBLINGS = 32


class Backoff(NamedTuple):
    """Pauses that double from `first` to `longest`, both in seconds.

    Jitter takes up to half of each pause away, so that the hosts that lost a broker together do not return together.
    """

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row, 1 or more."""
        doubled = self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.longest, doubled) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
