"""Places where files were: others may come and go there between two looks, and are found by their later names.

In comes what has changed since the last look; out go files that nobody saw where a glob leads.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

from shippers.inputs.discovery import Listing, Origin, is_excluded
from shippers.inputs.follower import Follower


class Places:
    """looked_at: when directories were last looked at, Unix time; 0 for never.   grace: seconds that each is kept."""

    def __init__(self, looked_at: float, grace: float) -> None:
        self.looked_at = looked_at
        self._grace = grace
        self._left: dict[str, tuple[Origin, float]] = {}

    def passed_through(
        self,
        vacant: Mapping[str, Origin],
        changed: Mapping[str, Origin],
        followers: Collection[Follower],
        listing: Listing,
        now: float,
    ) -> Iterator[tuple[str, Origin]]:
        """Files that were for a short time at places that are `vacant`, `changed`, or were left a while ago."""
        self._forget_taken(followers, now)
        left = {path: origin for path, (origin, _) in self._left.items()}
        self._left |= {path: (origin, now) for path, origin in changed.items()}
        for path, origin in {**vacant, **left, **changed}.items():
            for generation in listing.generations(path, self.looked_at or math.inf):
                if not is_excluded(generation, origin.settings):
                    yield generation, origin

    def _forget_taken(self, followers: Collection[Follower], now: float) -> None:
        """Keep the places left within the grace time where no other file has been met since."""
        occupied = {follower.path for follower in followers if follower.matched} if self._left else ()
        self._left = {
            path: (origin, since)
            for path, (origin, since) in self._left.items()
            if path not in occupied and now - since <= self._grace
        }
