"""The lease under which a shipper publishes: its session, saved in the state directory before it is used.

A session begins with each connection to the broker. Its lease is raised while windows are published, at most each
second, so that an older copy of the state directory is known as one by its lower lease.
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
"""For which a lease holds: what is published within it after a copy was made cannot be told from the copy's."""

_AHEAD = 0.5
"""After which the next one is saved while windows still go out under the last, so that nothing waits for the disk."""


class Lease:
    """Of one state directory, locked by this process.

    Where the disk fails windows go out under what was saved last: shipping goes on, only copies are not told apart.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self.session = _load(self._path)
        self._saved_at = -_SECONDS
        self._saving: asyncio.Task[None] | None = None
        self._unsaved = Condition(SESSION_UNSAVED, SESSION_SAVED)

    async def begin(self) -> None:
        """A new session, on a new connection."""
        await self.settle()
        await self._save(self.session.child().renewed())

    @property
    def is_over(self) -> bool:
        """Whether it has to be renewed before anything more is published."""
        age = time.monotonic() - self._saved_at
        if age > _AHEAD and self._saving is None:
            self._saving = asyncio.create_task(self._save(self.session.renewed()))
        return age > _SECONDS

    async def settle(self) -> None:
        """Wait until what is being saved is: a lease that is over has been renewed then."""
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
    """The session that was saved last; a file that is broken or gone begins a life of its own, which loses nothing."""
    try:
        return decoded(json.loads(path.read_bytes())["session"])
    except (OSError, ValueError, KeyError, TypeError, WireError, RecursionError):
        return first_session()
