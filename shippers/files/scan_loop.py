"""Decides when files and directories are looked at: when the kernel reports a change, and regularly in any case.

A look checks the files that are followed. A scan also searches the directories for others.
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
"""Between two looks at each quiet file, and between two scans unless the kernel reports every change in directories."""

_SCAN_SECONDS = 10.0
"""Between two scans if the kernel reports every change: it does not report a mount, for example."""

_SCANS_APART = 1.0
"""The least between two scans that the kernel's events cause: a busy directory costs no more than an unwatched one."""

_TURN_SECONDS = 0.25
"""Until the next scan while files wait for others to be closed."""


class ScanLoop:
    """The looks and scans for the files of `inputs`, outside `excluded` directories.

    begun: the number of scans so far.   done: the number of the last complete scan; directories that hang do not count.
    """

    def __init__(self, inputs: Sequence[Input], excluded: Sequence[str]) -> None:
        self.begun = self.done = 0
        self._scans = Scans(inputs, excluded)
        self._look_due = 0.0
        self._scanned_at = -math.inf
        self._stirred = asyncio.Event()

    def hasten(self, files: Files) -> None:
        """Scan as soon as possible."""
        files.scan_due = 0.0
        self._stirred.set()

    @property
    def hanging(self) -> list[str]:
        """The globs whose directories do not answer."""
        return self._scans.hanging

    async def close(self) -> None:
        """Stop scanning."""
        await self._scans.close()

    def wake(self) -> None:
        """End the current `rest`, or the next one."""
        self._stirred.set()

    async def turn(self, files: Files, watches: Watches) -> None:
        """Wake the files that the kernel reports, and look or scan if it is time for that."""
        now = time.monotonic()
        news = watches.news()
        files.wake(news.changed)
        if news.is_elsewhere:  # a tick later, because a file that was renamed has a successor by then
            files.scan_due = min(files.scan_due, max(now + TICK, self._scanned_at + _SCANS_APART))
        if now >= files.scan_due:
            self._look_due = now + _LOOK_SECONDS
            await self._scan(files, watches)
        elif now >= self._look_due:
            self._look_due = now + _LOOK_SECONDS
            files.look(now)

    async def rest(self, files: Files, watches: Watches) -> None:
        """Wait for an event of the kernel, a call of `wake` or the next look. Call this when nothing is to be read."""
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
        except Exception as error:  # noqa: BLE001  # a failure must not stop the files that are followed
            SCAN_FAILED.happened(reason=f"{type(error).__name__}: {error}")
            return
        files.apply(found, time.monotonic(), opened)
        if files.budget.waiting:
            files.scan_due = min(files.scan_due, time.monotonic() + _TURN_SECONDS)
        elif not is_told or files.budget.is_short:
            files.scan_due = min(files.scan_due, began + _LOOK_SECONDS)
        if not self._scans.is_late:
            self.done = self.begun
