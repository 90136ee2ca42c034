"""The lease under which a shipper publishes: its session, saved in the state directory before it is used.

A session begins with each connection to the broker. Its lease is raised while windows are published, at most once a
second. An older copy of the state directory has a lower lease, by which a router recognises it.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from logrouter.errors import WireError
from logrouter.observability.conditions import Condition
from logrouter.observability.events import SESSION_SAVED, SESSION_UNSAVED
from logrouter.support.filesystem import replace_file
from logrouter.wire.session import ShipperSession, decoded, first_session

FILE = "session.json"

_SECONDS = 1.0
"""Seconds for which a lease is valid.

What is published under the same lease after the state directory was copied cannot be told from what the copy publishes.
"""

_AHEAD = 0.5
"""Age in seconds at which the next lease is saved. Windows go out under the old one meanwhile and need not wait."""


class Lease:
    """The lease of one state directory, which this process has locked.

    If the disk fails, windows go out under the lease that was saved last: shipping continues, but a copy of the state
    directory can no longer be told apart.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self.session = _load(self._path)
        self._saved_at = -_SECONDS
        self._saving: asyncio.Task[None] | None = None
        self._unsaved = Condition(SESSION_UNSAVED, SESSION_SAVED)

    async def begin(self) -> None:
        """Begin a session, for a new connection."""
        await self.settle()
        await self._save(self.session.child().renewed())

    @property
    def is_over(self) -> bool:
        """Whether the lease has to be renewed, by `settle`, before anything more is published.

        Starts to renew it in time, so that it is seldom over.
        """
        age = time.monotonic() - self._saved_at
        if age > _AHEAD and self._saving is None:
            self._saving = asyncio.create_task(self._save(self.session.renewed()))
        return age > _SECONDS

    async def settle(self) -> None:
        """Wait until no save is in progress. A lease that was over is renewed then."""
        while self._saving is not None:
            await asyncio.wait({self._saving})

    async def _save(self, session: ShipperSession) -> None:
        content = json.dumps({"version": 1, "session": session.encoded()}).encode()
        try:
            await asyncio.to_thread(replace_file, self._path, content)
        except OSError as error:
            self._unsaved.begin(path=self._path, reason=error)
        else:
            self._unsaved.end(path=self._path)
            self.session = session
        self._saved_at = time.monotonic()
        self._saving = None


def _load(path: Path) -> ShipperSession:
    """Return the session that was saved last, or an unrelated new one if the file is broken, which loses nothing."""
    try:
        return decoded(json.loads(path.read_bytes())["session"])
    except (OSError, ValueError, KeyError, TypeError, WireError, RecursionError):
        return first_session()
