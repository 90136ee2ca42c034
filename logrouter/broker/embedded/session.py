"""The session of the embedded broker. The socket server holds one for each client process."""

from __future__ import annotations

from weakref import WeakSet

from logrouter.broker.contract import Queue, QueueKind
from logrouter.broker.embedded.consumers import EmbeddedConsumer, TailConsumer
from logrouter.broker.embedded.ready_queue import Ticket
from logrouter.broker.embedded.vhost import VirtualHost
from logrouter.broker.lifetime import Lifetime, Promise, keep
from logrouter.broker.limits import check_message
from logrouter.errors import NotFound, PublishRefused, Unroutable
from logrouter.wire.message import Message


class EmbeddedSession:
    """A session on the switchboard.

    It ends when it is closed, when a queue that it consumes is deleted, or when the disk does not take an
    acknowledgement.
    """

    def __init__(self, switchboard: VirtualHost) -> None:
        self._switchboard = switchboard
        self._lifetime = Lifetime()
        self._consumers: WeakSet[EmbeddedConsumer | TailConsumer] = WeakSet()

    async def declare_exchange(self, name: str) -> None:
        self._lifetime.check()
        self._switchboard.routes.declare(name)

    async def exchange_exists(self, name: str) -> bool:
        self._lifetime.check()
        return self._switchboard.routes.declared(name)

    async def declare_queue(self, queue: Queue) -> None:
        self._lifetime.check()
        if queue.kind is QueueKind.TAIL:
            self._switchboard.declare_tail(queue, self)
        else:
            await self._switchboard.declare(queue)

    async def delete_queue(self, name: str) -> None:
        self._lifetime.check()
        await self._switchboard.delete(name)

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        self._lifetime.check()
        await self._switchboard.bind(queue, exchange, pattern)

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        self._lifetime.check()
        await self._switchboard.unbind(queue, exchange, pattern)

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False) -> Promise:
        promise = self._lifetime.promise()
        if promise.done():
            return promise
        try:
            check_message(message)
            queues = self._switchboard.takers(exchange, message.key)
        except (PublishRefused, NotFound) as refused:
            keep(promise, refused)
            return promise
        if queues:
            ticket = Ticket(promise, len(queues))
            for queue in queues:
                queue.put(message, ticket)
        else:
            keep(promise, Unroutable(f"no queue takes the key {message.key!r}") if mandatory else None)
        return promise

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> EmbeddedConsumer | TailConsumer:
        self._lifetime.check()
        consumer = self._switchboard.queue(queue).consume(prefetch, budget, self.lose)
        self._consumers.add(consumer)
        return consumer

    async def depth(self, queue: str) -> int:
        self._lifetime.check()
        return self._switchboard.queue(queue).depth()

    async def purge(self, queue: str) -> int:
        self._lifetime.check()
        return await self._switchboard.queue(queue).purge()

    async def settle(self) -> None:
        """Return at once: the embedded broker always keeps what it has confirmed."""

    async def lost(self) -> str:
        return await self._lifetime.over()

    @property
    def blocked(self) -> bool:
        """False: a message that the disk does not take is refused at once."""
        return False

    def lose(self, reason: str) -> None:
        """End the session. Its consumers return what they hold, its TAIL queues are deleted, and its publishes stay."""
        if self._lifetime.end(reason):
            for consumer in list(self._consumers):
                consumer.session_gone(reason)
            self._switchboard.drop_tails(self)
