"""A way to RabbitMQ: connects to one of its hosts, without the library's kind that reconnects behind our back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from yarl import URL

from logrouter.broker import redacted
from logrouter.broker.amqp.connection import Connection, open_connection
from logrouter.broker.amqp.errors import reason
from logrouter.broker.amqp.session import AmqpSession
from logrouter.errors import SessionLost

CONNECT_SECONDS = 10.0
"""For one host, from the first packet to an open channel."""


class AmqpBroker:
    """RabbitMQ at one of `urls` (complete amqp:// or amqps:// addresses of one cluster), tried in turn.

    amqps verifies the certificate against the system's authorities; `?cafile=` names another. Options are aiormq's.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self._name = ",".join(map(redacted, urls))

    @property
    def name(self) -> str:
        """The addresses without passwords."""
        return self._name

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AmqpSession]:
        """Connect to the first host that answers. Raises SessionLost with each host's reason if none does."""
        session = await self._connect()
        try:
            yield session
        finally:
            await session.close()

    async def _connect(self) -> AmqpSession:
        refusals = []
        for url in list(self._urls):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await _open(url)
            except TimeoutError:
                refusals.append(f"{redacted(url)}: no answer in {CONNECT_SECONDS:g} s")
            except Exception as error:  # noqa: BLE001  # whatever it is, this host cannot be reached, and this says why
                refusals.append(f"{redacted(url)}: {reason(error)}")
            self._urls.append(self._urls.pop(0))  # the next attempt begins with the host after the one that failed
        raise SessionLost("; ".join(refusals))


async def _open(url: str) -> AmqpSession:
    connection = await open_connection(url)
    try:
        publishing = await connection.open_channel(publisher_confirms=True, on_return_raises=True)
    except BaseException:
        connection.cut()
        raise
    return AmqpSession(connection, publishing, redacted(url), partial(_open_further, url), user_of(url))


def user_of(url: str) -> str:
    """The user that the broker knows a connection to this address by, '' where the address does not tell."""
    parts = URL(url)
    return "" if "auth" in parts.query else parts.user or "guest"


async def _open_further(url: str) -> Connection:
    """A further connection to the host of a session, which is given up as the session's own would be."""
    async with asyncio.timeout(CONNECT_SECONDS):
        return await open_connection(url)
