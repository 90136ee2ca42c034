"""A broker in another process, through its socket; the same contract as any."""

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

_GOODBYE_SECONDS = 5.0
"""For the other end to close its side, so that what the session held is given back when `session()` ends."""


class SocketBroker:
    """The embedded broker of the `logrouter up` whose socket is at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Where it is, for people to read."""
        return f"the logrouter at {self._path}"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SocketSession]:
        """A new session. Raises SessionLost if nobody answers at the socket."""
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
    """A session over the socket."""

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
        await asyncio.wait({self._reading}, timeout=_GOODBYE_SECONDS)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()

    async def declare_exchange(self, name: str) -> None:
        """See the contract."""
        await self.call("declare_exchange", name)

    async def exchange_exists(self, name: str) -> bool:
        """See the contract."""
        return bool(await self.call("exchange_exists", name))

    async def declare_queue(self, queue: Queue) -> None:
        """See the contract."""
        await self.call("declare_queue", dataclasses.asdict(queue))
        if queue.kind is QueueKind.TAIL:
            self._tails.add(queue.name)

    async def delete_queue(self, name: str) -> None:
        """See the contract."""
        await self.call("delete_queue", name)

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """See the contract."""
        await self.call("bind", queue, exchange, pattern)

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """See the contract."""
        await self.call("unbind", queue, exchange, pattern)

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False) -> Promise:
        """See the contract."""
        promise = self._lifetime.promise()
        if promise.done():
            return promise
        try:
            check_message(message)
        except PublishRefused as refused:
            keep(promise, refused)
            return promise
        flags = [mandatory, apart] if apart else [mandatory]  # an older server knows the first alone
        self._send("publish", [exchange, *flags], promise, message)
        return promise

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> SocketConsumer:
        """See the contract."""
        inbox = Inbox(bounded=queue in self._tails)
        bounds = [prefetch, budget] if budget else [prefetch]  # an older server knows the first alone
        number = await self.call("consume", queue, *bounds, inbox=inbox)
        return SocketConsumer(self, int(number), inbox)

    async def depth(self, queue: str) -> int:
        """See the contract."""
        return int(await self.call("depth", queue))

    async def purge(self, queue: str) -> int:
        """See the contract."""
        return int(await self.call("purge", queue))

    async def settle(self) -> None:
        """See the contract: the embedded broker's queues are safe at once."""

    async def lost(self) -> str:
        """See the contract."""
        return await self._lifetime.over()

    @property
    def blocked(self) -> bool:
        """See the contract: the embedded broker never blocks."""
        return False

    async def call(self, name: str, *arguments: Any, inbox: Inbox | None = None) -> Any:
        """Ask the server. Raises what it answers with, or SessionLost; `inbox` is for the consumer that it opens."""
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
            promise.set_exception(PublishRefused(f"this cannot be carried: {error}"))

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
            self._lose(f"the logrouter at the other end has gone: {error}")

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
        """See the contract."""
        return self._inbox.drain()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the contract."""
        await self._session.call("ack", self._number, [delivery.tag for delivery in deliveries])

    async def close(self) -> None:
        """See the contract."""
        self._inbox.end()
        with contextlib.suppress(SessionLost):  # then it is closed already
            await self._session.call("close", self._number)
