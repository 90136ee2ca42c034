"""A session: one connection, and everything that lives and dies with it.

Publishes have channels of their own (publishing.py), and so has each consumer, with its own prefetch. Questions
(declarations, depths) go over another one: the broker closes a channel each time that it refuses something on it.
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
"""For one call other than a publish; a broker that takes longer counts as lost."""

CLOSE_SECONDS = 5.0
"""For the farewell; then the connection is cut."""

BLOCKED_EVERY_SECONDS = 1.0
"""How often to look whether the broker has blocked us."""

_YOUNG_SECONDS = 1.5
"""Killed within a second of a quorum queue's birth, RabbitMQ (3.10.8, 4.0.5 and 4.3.6) came back with the queue empty,
or with one that answered nobody, time and again."""

_CONFIGURE_TO_LOOK = ((4, 2, 6), (4, 3, 0))
"""Versions that want the right to configure for a passive declaration; later ones want any, earlier ones none."""

_T = TypeVar("_T")


class AmqpSession:
    """One connection. It ends with the connection or with any channel of it, unless that was a refusal."""

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
        self._questions: aiormq.Channel | None = None
        self._asking = asyncio.Lock()
        self._tails: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._blocked = Condition(BROKER_BLOCKED, BROKER_UNBLOCKED)
        self.start(self._watch_blocked(name))
        connection.underlying.closing.add_done_callback(lambda closing: self.lose(reason(error_of(closing))))
        self._publishing = Publishing(self, connection, publishing, self._lifetime, user=user)

    async def declare_exchange(self, name: str) -> None:
        """See the contract."""
        await self._ask(
            lambda channel: channel.exchange_declare(name, exchange_type="topic", durable=True),
            f"configure on {name!r}",
        )

    async def exchange_exists(self, name: str) -> bool:
        """See the contract."""
        try:
            await self._ask(lambda channel: channel.exchange_declare(name, passive=True), self._to_look_at(name))
        except NotFound:
            return False
        return True

    async def declare_queue(self, queue: Queue) -> None:
        """See the contract."""
        await self._ask(lambda channel: channel.queue_declare(queue.name, **settings(queue)), _to_declare(queue))
        if queue.kind is QueueKind.TAIL:
            self._tails.add(queue.name)

    async def delete_queue(self, name: str) -> None:
        """See the contract."""
        await self._ask(lambda channel: channel.queue_delete(name), f"configure on {name!r}")

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """See the contract."""
        await self._ask(lambda channel: channel.queue_bind(queue, exchange, pattern), _to_bind(queue, exchange))

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """See the contract."""
        try:
            await self._ask(lambda channel: channel.queue_unbind(queue, exchange, pattern), _to_bind(queue, exchange))
        except NotFound:
            return

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False) -> Promise:
        """See the contract."""
        return self._publishing.publish(exchange, message, mandatory=mandatory, apart=apart)

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> AmqpConsumer:
        """See the contract."""
        connection = await self._further_connection() if budget else self._connection
        channel = await self.answer(connection.open_channel(publisher_confirms=False))
        consumer = AmqpConsumer(self, connection, channel, settled=queue in self._tails, budget=budget)
        await self.answer(consumer.begin(queue, prefetch), f"read on {queue!r}")
        return consumer

    async def _further_connection(self) -> Connection:
        """Another connection to the same host, which lives and dies with this session."""
        connection = await self.answer(self._open_further())
        self._further.add(connection)

        def closed(closing: asyncio.Future[Any]) -> None:
            self._further.discard(connection)
            if not connection.is_left:
                self.lose(reason(error_of(closing)))

        connection.underlying.closing.add_done_callback(closed)
        return connection

    async def depth(self, queue: str) -> int:
        """See the contract."""
        declared = await self._ask(lambda channel: channel.queue_declare(queue, passive=True), self._to_look_at(queue))
        return declared.message_count or 0

    async def purge(self, queue: str) -> int:
        """See the contract."""
        purged = await self._ask(lambda channel: channel.queue_purge(queue), f"read on {queue!r}")
        return purged.message_count or 0

    async def settle(self) -> None:
        """See the contract."""
        await asyncio.sleep(_YOUNG_SECONDS)

    async def lost(self) -> str:
        """See the contract."""
        return await self._lifetime.over()

    @property
    def blocked(self) -> bool:
        """See the contract."""
        return self._blocked.holds and not self._lifetime.ended

    @property
    def gone(self) -> asyncio.Future[str]:
        """Done when the session has ended; the result is why."""
        return self._lifetime.gone

    def lose(self, reason: str) -> None:
        """End the session, and the connection with it; a second reason is dropped, since it follows from the first."""
        if self._lifetime.end(reason):
            self._closing = self.start(self._close_connections())

    async def close(self) -> None:
        """End the session, if it has not ended, and wait until nothing of it is left."""
        self.lose("the session was closed")
        assert self._closing is not None  # by the line above, or by whoever ended the session before
        await asyncio.wait([self._closing], timeout=CLOSE_SECONDS)
        for connection in (self._connection, *self._further):
            connection.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait([self._closing, *self._tasks], timeout=CLOSE_SECONDS)

    async def _close_connections(self) -> None:
        await asyncio.gather(*(each.leave() for each in (self._connection, *self._further)))

    async def answer(self, call: Coroutine[Any, Any, _T], needs: str = "") -> _T:
        """What the broker answers to `call`. Raises BrokerError if it refuses, SessionLost if it is lost or silent.

        needs: the rights that it takes, if any.
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
        """Of the server, as far as it says."""
        said = self._connection.underlying.server_properties.get("version")
        return tuple(int(number) for number in re.findall(r"\d+", str(said))[:3])

    def _to_look_at(self, name: str) -> str:
        """The right that a passive declaration takes; any other would do too, save on two versions."""
        return f"{'configure' if self._version in _CONFIGURE_TO_LOOK else 'write'} on {name!r}"

    async def _ask(self, question: Callable[[aiormq.Channel], Awaitable[_T]], needs: str = "") -> _T:
        async with self._asking:
            return await self.answer(self._question(question), needs)

    async def _question(self, question: Callable[[aiormq.Channel], Awaitable[_T]]) -> _T:
        """Ask over the channel for questions, which the broker closes each time that it refuses one."""
        if self._questions is None or self._questions.is_closed:
            self._questions = await self._connection.open_channel(publisher_confirms=False)
        try:
            return await question(self._questions)
        except asyncio.CancelledError:
            self._questions = None  # the library closes a channel whose answer is not waited for, but not at once
            raise

    async def _watch_blocked(self, name: str) -> None:
        """The library says that it is blocked only by making `ready` wait."""
        while True:
            try:
                async with asyncio.timeout(BLOCKED_EVERY_SECONDS):
                    await self._connection.underlying.ready()
            except TimeoutError:
                self._blocked.begin(broker=name, reason="its memory or its disk runs short")
            else:
                self._blocked.end(broker=name)
                await asyncio.sleep(BLOCKED_EVERY_SECONDS)

    def start(self, call: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run something until the session ends; what it raises is for whoever looks."""
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(error_of)
        return task


def _to_declare(queue: Queue) -> str:
    if queue.kind is QueueKind.DELAY:  # it also gives messages away
        return f"configure and read on {queue.name!r} and write on 'amq.default'"
    return f"configure on {queue.name!r}"


def _to_bind(queue: str, exchange: str) -> str:
    return f"write on {queue!r} and read on {exchange!r}"
