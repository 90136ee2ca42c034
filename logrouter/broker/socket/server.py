"""The socket server of an embedded broker. Each connection is a session of its own.

Only the owner of the process can connect. A client that reads slowly delays only its own consumers; its TAIL queues
then drop their oldest messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from logrouter.broker.contract import Broker, Consumer, Delivery, Queue, Session
from logrouter.broker.socket.frames import Answer, Call, Ended, Handed, Lost, as_answer, read_call, write_frame
from logrouter.errors import BrokerError

_CALLS = ("declare_exchange", "exchange_exists", "delete_queue", "bind", "unbind", "depth", "purge")


@asynccontextmanager
async def serve(broker: Broker, path: Path) -> AsyncIterator[None]:
    """Let other processes use `broker` through a socket at `path`. Raises OSError if the socket cannot be created."""
    _remove(path)  # left by a process that was killed: this one holds the lock of the state directory
    clients: set[asyncio.Task[None]] = set()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # asyncio runs this in a task
        clients.add(task)
        task.add_done_callback(clients.discard)
        # Suppressed because asyncio's streams report a cancelled task as a failure.
        with contextlib.suppress(asyncio.CancelledError):
            async with broker.session() as session:
                await _Client(session, reader, writer).serve()
            writer.close()  # only after the session has ended, because the client waits for this

    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(welcome, path)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class _Client:
    """One connection and its session."""

    def __init__(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._session = session
        self._reader = reader
        self._writer = writer
        self._consumers: dict[int, tuple[Consumer, dict[int, Delivery]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer calls until the client disconnects."""
        self._spawn(self._watch())
        try:
            with contextlib.suppress(EOFError, OSError, ValueError):
                while True:
                    call = await read_call(self._reader)
                    # A publish starts before the next call is read, to keep the order, but is not waited for.
                    work = self._publish(call) if call.name == "publish" else self._answer(call)
                    if call.name == "publish":
                        self._spawn(work)
                    else:
                        await work
                    await self._writer.drain()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _publish(self, call: Call) -> Awaitable[None]:
        exchange, mandatory, *apart = call.arguments
        assert call.message is not None  # the client always sends one
        promise = self._session.publish(exchange, call.message, mandatory=mandatory, apart=any(apart))
        return self._reply(call.id, lambda: promise)

    def _answer(self, call: Call) -> Awaitable[None]:
        if call.name in _CALLS:
            return self._reply(call.id, partial(getattr(self._session, call.name), *call.arguments))
        own: dict[str, Callable[..., Awaitable[Any]]] = {
            "declare_queue": self._declare,
            "consume": self._consume,
            "ack": self._ack,
            "close": self._close,
        }
        return self._reply(call.id, partial(own.get(call.name, self._unknown), *call.arguments))

    async def _reply(self, number: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            answer = Answer(number, await work())
        except BrokerError as error:
            answer = as_answer(number, error)
        except TypeError as error:
            answer = as_answer(number, BrokerError(f"the running logrouter does not understand this call: {error}"))
        write_frame(self._writer, answer)

    async def _unknown(self, *arguments: Any) -> None:
        raise BrokerError("the running logrouter does not know this call; restart it after an upgrade")

    async def _declare(self, queue: Any) -> None:
        await self._session.declare_queue(msgspec.convert(queue, Queue))

    async def _consume(self, queue: str, prefetch: int, budget: int = 0) -> int:
        consumer = await self._session.consume(queue, prefetch=prefetch, budget=budget)
        number = len(self._consumers)
        self._consumers[number] = (consumer, {})
        self._spawn(self._pump(number))
        return number

    async def _pump(self, number: int) -> None:
        consumer, unsettled = self._consumers[number]
        with contextlib.suppress(BrokerError, OSError):  # others report that the session or the client is lost
            async for delivery in consumer:
                unsettled[delivery.tag] = delivery
                write_frame(self._writer, Handed(number, delivery.tag, delivery.redelivered, delivery.message))
                await self._writer.drain()
            write_frame(self._writer, Ended(number))

    async def _watch(self) -> None:
        write_frame(self._writer, Lost(await self._session.lost()))

    async def _ack(self, number: int, tags: list[int]) -> None:
        consumer, unsettled = self._consumers[number]
        await consumer.ack([unsettled.pop(tag) for tag in tags if tag in unsettled])

    async def _close(self, number: int) -> None:
        await self._consumers[number][0].close()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
