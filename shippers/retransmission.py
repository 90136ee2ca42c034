"""Answers the requests of routers: reads ranges of sources again and publishes them.

This happens alongside the usual reading and moves no position. If it fails, the router asks again. What cannot be read
any more is stated as gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from secrets import token_hex

from logrouter.broker.contract import EXCHANGE as LOG
from logrouter.broker.contract import Consumer, Queue, QueueKind, Session
from logrouter.errors import BrokerError, Forbidden, SessionLost
from logrouter.observability.conditions import Condition
from logrouter.observability.events import REQUEST_FAILED, RESENDING
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.request import EVERYBODY, EXCHANGE, Request, from_message
from logrouter.wire.routing_key import word
from logrouter.wire.statement import Gone
from shippers.encode.fallback import safe_parts
from shippers.files.follow import Files
from shippers.files.reread import Reread, find
from shippers.lease import Lease
from shippers.statements import Statements

_SPREAD_SECONDS = 1.0
"""The shippers of a site spread their answers over this time when a router asks all of them how far they are."""

_AGAIN_SECONDS = 60.0
"""Seconds until the next attempt to listen if the exchange is missing: no router that makes requests has been here."""


class Retransmission:
    """Answers requests on one session.

    statements: states what is gone.   forbidden: holds while this user may not listen to requests.
    """

    def __init__(
        self, session: Session, files: Files, lease: Lease, statements: Statements, forbidden: Condition
    ) -> None:
        self._session = session
        self._files = files
        self._lease = lease
        self._statements = statements
        self._forbidden = forbidden
        self._host = word(statements.reporter.host)
        self._queue = Queue(f"{EXCHANGE}.{self._host}.{token_hex(8)}", QueueKind.TAIL)

    async def answer(self) -> None:
        """Answer requests until cancelled, or the session is lost."""
        while True:
            try:
                await self._listen()
            except SessionLost:
                return
            except Forbidden as error:
                self._forbidden.begin(reason=error, remedy=error.remedy)
                return
            except BrokerError:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        consumer = await self._consume()
        self._forbidden.end()
        async for delivery in consumer:
            try:
                await self._answer(from_message(delivery.message))
            except BrokerError:
                raise
            except Exception as error:  # noqa: BLE001  # a request that fails does not stop the next one
                REQUEST_FAILED.happened(reason=f"{type(error).__name__}: {error}")

    async def _consume(self) -> Consumer:
        await self._session.declare_queue(self._queue)
        for key in (self._host, EVERYBODY):
            await self._session.bind(self._queue.name, EXCHANGE, key)
        return await self._session.consume(self._queue.name, prefetch=0)

    async def _answer(self, request: Request) -> None:
        if not request.wanted:
            await asyncio.sleep(random.uniform(0, _SPREAD_SECONDS))  # noqa: S311  # it only spreads the load
            self._statements.repeat()
        is_meant = request.reporter == self._statements.reporter.identity
        for wanted in request.wanted:
            sought = self._files.sought(wanted.source)
            source = await asyncio.to_thread(find, sought) if sought is not None else None
            if source is None and not is_meant:
                continue  # the source is another shipper's
            gone = await self._resend(source, wanted.ranges) if source else wanted.ranges
            if gone:
                self._statements.lost(Gone(wanted.source, list(gone)))

    async def _resend(self, source: Reread, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Publish ranges of a source again. Return the ranges, or the rest of them, that cannot be read."""
        gone = []
        with contextlib.closing(source):
            for start, end in ranges:
                RESENDING.happened(path=source.path, source=source.source, start=start, end=end)
                reached = start
                while reached < end and (window := await asyncio.to_thread(source.window, reached, end)):
                    if self._lease.is_over:
                        await self._lease.settle()
                    parts = safe_parts(window, source.settings, time.time())
                    reached = window.to
                    for message in self._messages(parts):
                        await self._session.publish(LOG, message)
                if reached < end:
                    gone.append((reached, end))
        return gone

    def _messages(self, parts: tuple[Part, ...]) -> Iterator[Message]:
        for part in parts:
            yield to_message(replace(part, session=self._lease.session, again=True))
