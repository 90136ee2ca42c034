"""Places where files were: others may come and go there between two looks, and are found by their later names.

In comes what has changed since the last look; out go files that nobody saw where a glob leads.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from shippers.inputs.discovery import Discovery, Listing, Origin, is_excluded
from shippers.inputs.follower import Follower


class Places:
    """looked_at: when directories were last looked at, Unix time; 0 for never.   grace: seconds that each is kept."""

    def __init__(self, looked_at: float, grace: float) -> None:
        self._first = looked_at
        self._looked_at: dict[str, float] = {}
        self._grace = grace
        self._left: dict[str, tuple[Origin, float]] = {}

    @property
    def looked_at(self) -> float:
        """When all directories had been looked at."""
        return min(self._looked_at.values(), default=self._first)

    def looked(self, globs: Iterable[str], began: float) -> None:
        """What these lead to was looked at in a look that began then."""
        self._looked_at |= dict.fromkeys(globs, began)

    def passed_through(
        self,
        discovery: Discovery,
        changed: Mapping[str, Origin],
        followers: Collection[Follower],
        listing: Listing,
        now: float,
    ) -> Iterator[tuple[str, Origin]]:
        """Files that were for a short time at places that are vacant, `changed`, or were left a while ago."""
        self._forget_taken(followers, now)
        left = {path: origin for path, (origin, _) in self._left.items() if origin.glob not in discovery.late}
        self._left |= {path: (origin, now) for path, origin in changed.items()}
        for path, origin in {**discovery.vacant, **left, **changed}.items():
            since = self._looked_at.get(origin.glob, self._first)
            for generation in listing.generations(path, since or math.inf):
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
