"""Whose turn it is: followers that have something to read, or had a moment ago, one after the other.

In come followers that wake, sleep and leave; out goes the next that is due. Those that sleep are watched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from shippers.inputs.follower import Follower
from shippers.inputs.watches import Watches


class Turns:
    """The followers that are awake. on_wake: called whenever another one is."""

    def __init__(self, watches: Watches) -> None:
        self.on_wake: Callable[[], None] = lambda: None
        self._watches = watches
        self._awake: deque[Follower] = deque()

    def __len__(self) -> int:
        return len(self._awake)

    def next(self, now: float) -> Follower | None:
        """The follower whose turn it is, if one is due."""
        for _ in range(len(self._awake)):
            self._awake.rotate(-1)
            if self._awake[-1].due <= now:
                return self._awake[-1]
        return None

    def wake(self, follower: Follower) -> None:
        """It takes turns from now on."""
        if not follower.awake:
            follower.awake = True
            self._watches.forget(follower.inode)
            self._awake.append(follower)
            self.on_wake()

    def sleep(self, follower: Follower) -> None:
        """It takes none until it is woken."""
        if follower.awake:
            follower.awake = False
            self._awake.remove(follower)
            follower.content.rest()

    def watch(self, follower: Follower) -> None:
        """Have the kernel tell when one that sleeps changes."""
        if not follower.awake:
            self._watches.watch(follower.fd, follower.inode)

    def leave(self, follower: Follower) -> None:
        """It is about to be closed."""
        self.sleep(follower)
        self._watches.forget(follower.inode)
