"""The embedded broker. It opens its file with the first session and closes it with the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from logrouter.broker.embedded.session import EmbeddedSession
from logrouter.broker.embedded.vhost import VirtualHost

FILE = "broker.sqlite"


class EmbeddedBroker:
    """Queues in this process. The durable ones are kept in `directory`, which one process can use at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._switchboard = VirtualHost(directory / FILE)
        self._sessions = 0
        self._opening = asyncio.Lock()

    @property
    def name(self) -> str:
        """The broker and its directory, in a form for people."""
        return f"the embedded broker in {self._directory}"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[EmbeddedSession]:
        """Open a session.

        Raises StateError if the file is in use by another process, damaged, or written by a newer version.
        """
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
