"""Decides when the state is saved: identities before they are used, positions twice a second. One write at a time."""

from __future__ import annotations

import asyncio
import time

from logrouter.observability.conditions import Condition
from logrouter.observability.events import STATE_SAVED, STATE_UNSAVED
from shippers.files.checkpoint import Checkpoints
from shippers.files.follow import Files

_SAVE_INTERVAL = 0.5
"""Seconds between two saves of confirmed positions. After a crash, what was confirmed since then is read again."""

_RETRY = 1.0
"""Seconds until a failed save is tried again."""


class Autosave:
    """The schedule by which the state of `files` is saved to `checkpoints`."""

    def __init__(self, files: Files, checkpoints: Checkpoints) -> None:
        self._files = files
        self._checkpoints = checkpoints
        self._revision: tuple[int, int] | None = None
        self._due = self._retry = 0.0
        self._unsaved = Condition(STATE_UNSAVED, STATE_SAVED)

    async def save_if_due(self) -> None:
        """Save if a file waits for its identity to be saved, or if positions have moved and a save is due."""
        now = time.monotonic()
        moved = self._files.revision != self._revision and now >= self._due
        if (self._files.unsaved or moved) and now >= self._retry:
            await self.save()

    async def save(self) -> None:
        """Save now. A failure is logged, and `save_if_due` tries again."""
        state, revision, unsaved = self._files.state(), self._files.revision, list(self._files.unsaved)
        try:
            await asyncio.to_thread(self._checkpoints.save, state)
        except OSError as error:
            self._unsaved.begin(path=self._checkpoints.path, reason=error)
            self._retry = time.monotonic() + _RETRY
            return
        self._unsaved.end(path=self._checkpoints.path)
        self._files.saved(unsaved)
        self._revision = revision
        self._due = time.monotonic() + _SAVE_INTERVAL
