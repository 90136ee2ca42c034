"""Gives turns, one after the other, to generations that have something to read or had a moment ago."""

from __future__ import annotations

from collections.abc import Callable

from shippers.files.generation import Generation
from shippers.files.watches import Watches


class Turns:
    """The generations that are awake; those that sleep are watched. on_wake: called whenever a generation is woken."""

    def __init__(self, watches: Watches) -> None:
        self.on_wake: Callable[[], None] = lambda: None
        self._watches = watches
        self._awake: dict[Generation, None] = {}

    def __len__(self) -> int:
        return len(self._awake)

    def next(self, now: float) -> Generation | None:
        """Return the next generation that is due, or None if none is."""
        for _ in range(len(self._awake)):
            generation = next(iter(self._awake))
            self._awake[generation] = self._awake.pop(generation)
            if generation.due <= now:
                return generation
        return None

    def wake(self, generation: Generation) -> None:
        """Give a generation turns from now on."""
        if generation not in self._awake:
            self._awake[generation] = None
            self._watches.forget(generation.inode)
            self.on_wake()

    def sleep(self, generation: Generation) -> None:
        """Give a generation no turns until it is woken."""
        if generation in self._awake:
            del self._awake[generation]
            generation.reader.content.rest()

    def watch(self, generation: Generation) -> None:
        """Have the kernel report the next change of a generation that sleeps."""
        if generation not in self._awake:
            self._watches.watch(generation.reader.fd, generation.inode)

    def leave(self, generation: Generation) -> None:
        """Drop a generation that is about to be closed."""
        self.sleep(generation)
        self._watches.forget(generation.inode)
