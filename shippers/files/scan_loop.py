"""When files and directories are looked at: as the kernel tells of changes, and by the clock whatever it tells.

In come inputs, and the files that are followed; out go looks at these, and scans for others.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from logrouter.observability.events import SCAN_FAILED
from logrouter.support.aio import wait
from shippers.files.follow import Files
from shippers.files.generation import TICK
from shippers.files.scans import Scans
from shippers.files.watches import Watches
from shippers.input import Input

_LOOK_SECONDS = 1.0
"""Between two looks at each quiet file, and at the directories unless the kernel tells of every change in them."""

_SCAN_SECONDS = 10.0
"""Between two looks at the directories where it does: mounts, for one, come without a word."""

_SCANS_APART = 1.0
"""Seconds at least between two scans that the kernel's word leads to: a busy directory costs no more than unwatched."""

_TURN_SECONDS = 0.25
"""Until the next scan where files wait for others to be closed."""


class Rounds:
    """Looks for the files of `inputs`, but in `excluded` directories.   begun, done: how many scans."""

    def __init__(self, inputs: Sequence[Input], excluded: Sequence[str]) -> None:
        self.begun = self.done = 0
        self._scans = Scans(inputs, excluded)
        self._look_due = 0.0
        self._scanned_at = -math.inf
        self._stirred = asyncio.Event()

    def hasten(self, files: Files) -> None:
        """Scan as soon as can be."""
        files.scan_due = 0.0
        self._stirred.set()

    @property
    def hanging(self) -> list[str]:
        """The globs whose directories do not answer."""
        return self._scans.hanging

    async def close(self) -> None:
        """Look at nothing any longer."""
        await self._scans.close()

    def stir(self) -> None:
        """End the rest."""
        self._stirred.set()

    async def turn(self, files: Files, watches: Watches) -> None:
        """Wake what the kernel tells of; look, or scan, if it is time for it."""
        now = time.monotonic()
        news = watches.news()
        files.wake(news.changed)
        if news.is_elsewhere:  # a tick later: a file that was renamed has a successor by then
            files.scan_due = min(files.scan_due, max(now + TICK, self._scanned_at + _SCANS_APART))
        if now >= files.scan_due:
            self._look_due = now + _LOOK_SECONDS
            await self._scan(files, watches)
        elif now >= self._look_due:
            self._look_due = now + _LOOK_SECONDS
            files.look(now)

    async def rest(self, files: Files, watches: Watches) -> None:
        """Nothing is to be read: wait for news, or until it is time for the next look."""
        loop = asyncio.get_running_loop()
        if watches.fd is not None:
            loop.add_reader(watches.fd, self._stirred.set)
        await wait(self._stirred, min(self._look_due, files.scan_due) - time.monotonic())
        if watches.fd is not None:
            loop.remove_reader(watches.fd)
        self._stirred.clear()

    async def _scan(self, files: Files, watches: Watches) -> None:
        self._scanned_at = began = time.monotonic()
        files.scan_due = began + _SCAN_SECONDS
        self.begun += 1
        try:
            found, is_told = await self._scans.scan(watches, files.followed)
            opened = await self._scans.open(files.wanted(found, time.monotonic()))
        except Exception as error:  # noqa: BLE001  # the files that are followed are read on
            SCAN_FAILED.happened(reason=f"{type(error).__name__}: {error}")
            return
        files.apply(found, time.monotonic(), opened)
        if files.budget.waiting:
            files.scan_due = min(files.scan_due, time.monotonic() + _TURN_SECONDS)
        elif not is_told or files.budget.is_short:
            files.scan_due = min(files.scan_due, began + _LOOK_SECONDS)
        if not self._scans.is_late:
            self.done = self.begun
