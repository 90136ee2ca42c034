"""The client of an embedded broker in another process. It fulfils the broker contract over a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from logrouter.broker.contract import Delivery, Queue, QueueKind
from logrouter.broker.lifetime import Lifetime, Promise, keep
from logrouter.broker.limits import check_message
from logrouter.broker.prefetch import Inbox
from logrouter.broker.socket.frames import Answer, Call, Ended, Handed, Lost, as_error, read_reply, write_frame
from logrouter.errors import PublishRefused, SessionLost
from logrouter.wire.message import Message

_CLOSE_SECONDS = 5.0
"""The time limit for the server to close its side. It does so when it has requeued what the session held."""


class SocketBroker:
    """The embedded broker of the `logrouter up` process whose socket is at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The process that is connected to, in a form for people."""
        return f"the logrouter at {self._path}"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SocketSession]:
        """Open a session. Raises SessionLost if nothing listens on the socket."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise SessionLost(f"{self.name} does not answer: {error.strerror or error}") from error
        session = SocketSession(reader, writer)
        try:
            yield session
        finally:
            await session.close()


class SocketSession:
    """A session over the socket, which is one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._lifetime = Lifetime()
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._opening: dict[int, Inbox] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._tails: set[str] = set()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """End the session and the connection."""
        self._lose("the session was closed")
        with contextlib.suppress(OSError):
            self._writer.write_eof()
        await asyncio.wait({self._reading}, timeout=_CLOSE_SECONDS)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()

    async def declare_exchange(self, name: str) -> None:
        await self.call("declare_exchange", name)

    async def exchange_exists(self, name: str) -> bool:
        return bool(await self.call("exchange_exists", name))

    async def declare_queue(self, queue: Queue) -> None:
        await self.call("declare_queue", dataclasses.asdict(queue))
        if queue.kind is QueueKind.TAIL:
            self._tails.add(queue.name)

    async def delete_queue(self, name: str) -> None:
        await self.call("delete_queue", name)

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        await self.call("bind", queue, exchange, pattern)

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        await self.call("unbind", queue, exchange, pattern)

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False) -> Promise:
        promise = self._lifetime.promise()
        if promise.done():
            return promise
        try:
            check_message(message)
        except PublishRefused as refused:
            keep(promise, refused)
            return promise
        flags = [mandatory, apart] if apart else [mandatory]  # an older server accepts only the first
        self._send("publish", [exchange, *flags], promise, message)
        return promise

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> SocketConsumer:
        inbox = Inbox(bounded=queue in self._tails)
        bounds = [prefetch, budget] if budget else [prefetch]  # an older server accepts only the first
        number = await self.call("consume", queue, *bounds, inbox=inbox)
        return SocketConsumer(self, int(number), inbox)

    async def depth(self, queue: str) -> int:
        return int(await self.call("depth", queue))

    async def purge(self, queue: str) -> int:
        return int(await self.call("purge", queue))

    async def settle(self) -> None:
        """Return at once: the embedded broker always keeps what it has confirmed."""

    async def lost(self) -> str:
        return await self._lifetime.over()

    @property
    def blocked(self) -> bool:
        """False: the embedded broker never blocks publishers."""
        return False

    async def call(self, name: str, *arguments: Any, inbox: Inbox | None = None) -> Any:
        """Send a call to the server and return its result.

        inbox: receives the deliveries of the consumer that the call opens. Raises the BrokerError that the server
        answers with, or SessionLost.
        """
        self._lifetime.check()
        promise = self._lifetime.promise()
        self._send(name, list(arguments), promise, inbox=inbox)
        await self._writer.drain()
        return await promise

    def _send(
        self,
        name: str,
        arguments: list[Any],
        promise: asyncio.Future[Any],
        message: Message | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        number = next(self._numbers)
        self._answers[number] = promise
        if inbox is not None:
            self._opening[number] = inbox
        try:
            write_frame(self._writer, Call(number, name, arguments, message))
        except (TypeError, ValueError, OverflowError) as error:
            del self._answers[number]
            promise.set_exception(PublishRefused(f"cannot encode the call: {error}"))

    async def _read(self) -> None:
        try:
            while True:
                match await read_reply(self._reader):
                    case Answer() as answer:
                        self._answered(answer)
                    case Handed(number, tag, redelivered, message):
                        self._inboxes[number].put(Delivery(message, tag, redelivered))
                    case Ended(number):
                        self._inboxes[number].end()
                    case Lost(reason):
                        self._lose(reason)
        except (EOFError, OSError, ValueError) as error:
            self._lose(f"the connection to the running logrouter is lost: {error}")

    def _answered(self, answer: Answer) -> None:
        promise = self._answers.pop(answer.id)
        inbox = self._opening.pop(answer.id, None)
        error = as_error(answer)
        if error is None and inbox is not None:
            self._inboxes[answer.value] = inbox
        if promise.done():
            return
        if error is not None:
            promise.set_exception(error)
        else:
            promise.set_result(answer.value)

    def _lose(self, reason: str) -> None:
        if self._lifetime.end(reason):
            for inbox in self._inboxes.values():
                inbox.end(reason)


class SocketConsumer:
    """A consumer over the socket."""

    def __init__(self, session: SocketSession, number: int, inbox: Inbox) -> None:
        self._session = session
        self._number = number
        self._inbox = inbox

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self._inbox

    def drain(self) -> list[Delivery]:
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        await self._session.call("ack", self._number, [delivery.tag for delivery in deliveries])

    async def close(self) -> None:
        self._inbox.end()
        with contextlib.suppress(SessionLost):  # then it is already closed
            await self._session.call("close", self._number)
