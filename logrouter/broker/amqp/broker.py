"""RabbitMQ as a Broker. Its connections are not aio-pika's robust ones, which reconnect behind the caller's back."""

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
"""The time limit for one host, from the first packet to an open channel."""


class AmqpBroker:
    """RabbitMQ at one of `urls`, complete amqp:// or amqps:// addresses of one cluster, which are tried in turn.

    amqps verifies the certificate against the system's certificate authorities; `?cafile=` names another file. The
    query options are those of aiormq.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self._name = ",".join(map(redacted, urls))

    @property
    def name(self) -> str:
        """The addresses, without passwords."""
        return self._name

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AmqpSession]:
        """Connect to the first host that answers. Raises SessionLost, with each host's reason, if none does."""
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
            except Exception as error:  # noqa: BLE001  # any error means that this host cannot be used; the reason is kept
                refusals.append(f"{redacted(url)}: {reason(error)}")
            self._urls.append(self._urls.pop(0))  # the next attempt starts after the host that failed
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
    """Return the user name of a connection to this address, '' if the address does not determine it (`?auth=`)."""
    parts = URL(url)
    return "" if "auth" in parts.query else parts.user or "guest"


async def _open_further(url: str) -> Connection:
    """Open another connection to the host of a session, with the same time limit as the first."""
    async with asyncio.timeout(CONNECT_SECONDS):
        return await open_connection(url)
