"""The embedded broker as a Broker: opens the file with its first session and closes it with its last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from logrouter.broker.embedded.session import EmbeddedSession
from logrouter.broker.embedded.vhost import Switchboard

FILE = "broker.sqlite"


class EmbeddedBroker:
    """Queues in this process, the durable ones kept in `directory`, which one process has at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._switchboard = Switchboard(directory / FILE)
        self._sessions = 0
        self._opening = asyncio.Lock()

    @property
    def name(self) -> str:
        """Where it is, for people to read."""
        return f"the embedded broker in {self._directory}"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[EmbeddedSession]:
        """A new session. Raises StateError if the directory is in use by another process, damaged, or newer."""
        async with self._opening:
            if not self._sessions:
                await self._switchboard.open()
            self._sessions += 1
        session = EmbeddedSession(self._switchboard)
        try:
            yield session
        finally:
            session.lose("the session was closed")
            self._sessions -= 1
            async with self._opening:
                if not self._sessions:
                    await self._switchboard.close()
