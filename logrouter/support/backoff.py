"""The pauses between retries."""

from __future__ import annotations

import random
from typing import NamedTuple

_MOST_DOUBLINGS = 32


class Backoff(NamedTuple):
    """Pauses that double from `first` to `longest`, both in seconds.

    Jitter shortens each pause by up to half, so that hosts that lost a broker together do not return together.
    """

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after `failures` failures in a row, at least 1."""
        doubled = self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.longest, doubled) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
