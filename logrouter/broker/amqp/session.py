"""The AMQP session: one connection, and everything that ends with it.

Publishing has channels of its own (publisher.py), and each consumer has one, with its own prefetch. All other requests
(declarations, bindings, depths) share one more channel, because the broker closes a channel when it refuses a request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import aiormq

from logrouter.broker.amqp.connection import Connection
from logrouter.broker.amqp.consumer import AmqpConsumer
from logrouter.broker.amqp.errors import error_of, reason, translated
from logrouter.broker.amqp.publisher import Publishing
from logrouter.broker.amqp.queue_arguments import settings
from logrouter.broker.contract import Queue, QueueKind
from logrouter.broker.lifetime import Lifetime, Promise
from logrouter.errors import NotFound, SessionLost
from logrouter.observability.conditions import Condition
from logrouter.observability.events import BROKER_BLOCKED, BROKER_UNBLOCKED
from logrouter.wire.message import Message

ANSWER_SECONDS = 30.0
"""The time limit for each call other than a publish. A broker that takes longer counts as lost."""

CLOSE_SECONDS = 5.0
"""The time limit for closing a connection. After that it is aborted."""

BLOCKED_EVERY_SECONDS = 1.0
"""The interval of checks whether the broker has blocked us."""

_NEW_QUEUE_SECONDS = 1.5
"""RabbitMQ (3.10.8, 4.0.5 and 4.3.6), when killed within a second of a quorum queue's declaration, repeatedly came back
with the queue empty or unresponsive."""

_INSPECTING_NEEDS_CONFIGURE = ((4, 2, 6), (4, 3, 0))
"""Versions that require the configure permission for a passive declaration. Later ones accept any permission on the
name, and earlier ones require none."""

_T = TypeVar("_T")


class AmqpSession:
    """A session on one connection.

    It ends with the connection or with any of its channels, except where the broker closes a channel as a refusal.
    """

    def __init__(
        self,
        connection: Connection,
        publishing: aiormq.Channel,
        name: str,
        open_further: Callable[[], Coroutine[Any, Any, Connection]],
        user: str = "",
    ) -> None:
        self._connection = connection
        self._open_further = open_further
        self._further: set[Connection] = set()
        self._lifetime = Lifetime()
        self._request_channel: aiormq.Channel | None = None
        self._request_lock = asyncio.Lock()
        self._tails: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._blocked = Condition(BROKER_BLOCKED, BROKER_UNBLOCKED)
        self.start(self._watch_blocked(name))
        connection.underlying.closing.add_done_callback(lambda closing: self.lose(reason(error_of(closing))))
        self._publishing = Publishing(self, connection, publishing, self._lifetime, user=user)

    async def declare_exchange(self, name: str) -> None:
        await self._request(
            lambda channel: channel.exchange_declare(name, exchange_type="topic", durable=True),
            f"configure on {name!r}",
        )

    async def exchange_exists(self, name: str) -> bool:
        try:
            await self._request(
                lambda channel: channel.exchange_declare(name, passive=True), self._permission_to_inspect(name)
            )
        except NotFound:
            return False
        return True

    async def declare_queue(self, queue: Queue) -> None:
        await self._request(
            lambda channel: channel.queue_declare(queue.name, **settings(queue)), _permissions_to_declare(queue)
        )
        if queue.kind is QueueKind.TAIL:
            self._tails.add(queue.name)

    async def delete_queue(self, name: str) -> None:
        await self._request(lambda channel: channel.queue_delete(name), f"configure on {name!r}")

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        await self._request(
            lambda channel: channel.queue_bind(queue, exchange, pattern), _permissions_to_bind(queue, exchange)
        )

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        try:
            await self._request(
                lambda channel: channel.queue_unbind(queue, exchange, pattern), _permissions_to_bind(queue, exchange)
            )
        except NotFound:
            return

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False) -> Promise:
        return self._publishing.publish(exchange, message, mandatory=mandatory, apart=apart)

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> AmqpConsumer:
        connection = await self._further_connection() if budget else self._connection
        channel = await self.answer(connection.open_channel(publisher_confirms=False))
        consumer = AmqpConsumer(self, connection, channel, settled=queue in self._tails, budget=budget)
        await self.answer(consumer.begin(queue, prefetch), f"read on {queue!r}")
        return consumer

    async def _further_connection(self) -> Connection:
        """Open another connection to the same host. It ends with this session, and this session with it."""
        connection = await self.answer(self._open_further())
        self._further.add(connection)

        def closed(closing: asyncio.Future[Any]) -> None:
            self._further.discard(connection)
            if not connection.is_left:
                self.lose(reason(error_of(closing)))

        connection.underlying.closing.add_done_callback(closed)
        return connection

    async def depth(self, queue: str) -> int:
        declared = await self._request(
            lambda channel: channel.queue_declare(queue, passive=True), self._permission_to_inspect(queue)
        )
        return declared.message_count or 0

    async def purge(self, queue: str) -> int:
        purged = await self._request(lambda channel: channel.queue_purge(queue), f"read on {queue!r}")
        return purged.message_count or 0

    async def settle(self) -> None:
        await asyncio.sleep(_NEW_QUEUE_SECONDS)

    async def lost(self) -> str:
        return await self._lifetime.over()

    @property
    def blocked(self) -> bool:
        return self._blocked.holds and not self._lifetime.ended

    @property
    def gone(self) -> asyncio.Future[str]:
        """A future that is done when the session has ended. Its result is the reason."""
        return self._lifetime.gone

    def lose(self, reason: str) -> None:
        """End the session and its connections. Later reasons are ignored, because they follow from the first."""
        if self._lifetime.end(reason):
            self._closing = self.start(self._close_connections())

    async def close(self) -> None:
        """End the session, unless it has ended, and wait until its connections and tasks have ended."""
        self.lose("the session was closed")
        assert self._closing is not None  # set above, or when the session ended before
        await asyncio.wait([self._closing], timeout=CLOSE_SECONDS)
        for connection in (self._connection, *self._further):
            connection.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait([self._closing, *self._tasks], timeout=CLOSE_SECONDS)

    async def _close_connections(self) -> None:
        await asyncio.gather(*(each.leave() for each in (self._connection, *self._further)))

    async def answer(self, call: Coroutine[Any, Any, _T], needs: str = "") -> _T:
        """Return the result of `call`.

        needs: the permissions that it requires, for the remedy of Forbidden. Raises BrokerError if the broker refuses
        the call, SessionLost if the session ends or the broker does not answer within ANSWER_SECONDS.
        """
        task = self.start(call)
        ends: list[asyncio.Future[Any]] = [task, self._lifetime.gone]
        try:
            await asyncio.wait(ends, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
        if not task.done():
            self.lose(f"no answer in {ANSWER_SECONDS:g} s")
        self._lifetime.check()
        error = error_of(task)
        if error is None:
            return task.result()
        refusal = translated(error, needs)
        if isinstance(refusal, SessionLost):
            self.lose(str(refusal))
        raise refusal from error

    @property
    def _version(self) -> tuple[int, ...]:
        """The version of the server, empty if the server does not state it."""
        stated = self._connection.underlying.server_properties.get("version")
        return tuple(int(number) for number in re.findall(r"\d+", str(stated))[:3])

    def _permission_to_inspect(self, name: str) -> str:
        """Return the permission to suggest for a passive declaration. Most versions would accept any other too."""
        return f"{'configure' if self._version in _INSPECTING_NEEDS_CONFIGURE else 'write'} on {name!r}"

    async def _request(self, request: Callable[[aiormq.Channel], Awaitable[_T]], needs: str = "") -> _T:
        async with self._request_lock:
            return await self.answer(self._send_request(request), needs)

    async def _send_request(self, request: Callable[[aiormq.Channel], Awaitable[_T]]) -> _T:
        """Send a request over the shared channel, and reopen it if the broker has closed it with a refusal."""
        if self._request_channel is None or self._request_channel.is_closed:
            self._request_channel = await self._connection.open_channel(publisher_confirms=False)
        try:
            return await request(self._request_channel)
        except asyncio.CancelledError:
            self._request_channel = None  # the library closes a channel with an abandoned call, but not at once
            raise

    async def _watch_blocked(self, name: str) -> None:
        """Log when the broker blocks and unblocks us. The library shows a block only by making `ready` wait."""
        while True:
            try:
                async with asyncio.timeout(BLOCKED_EVERY_SECONDS):
                    await self._connection.underlying.ready()
            except TimeoutError:
                self._blocked.begin(broker=name, reason="it is short of memory or disk space")
            else:
                self._blocked.end(broker=name)
                await asyncio.sleep(BLOCKED_EVERY_SECONDS)

    def start(self, call: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run `call` in a task that is cancelled when the session closes. An exception is ignored unless awaited."""
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(error_of)
        return task


def _permissions_to_declare(queue: Queue) -> str:
    if queue.kind is QueueKind.DELAY:  # it moves messages to its target over the default exchange
        return f"configure and read on {queue.name!r} and write on 'amq.default'"
    return f"configure on {queue.name!r}"


def _permissions_to_bind(queue: str, exchange: str) -> str:
    return f"write on {queue!r} and read on {exchange!r}"
