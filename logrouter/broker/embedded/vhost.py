"""The state that all sessions of an embedded broker share: exchanges, queues and the file behind them.

Exchanges and ingress queues, with their messages, are in memory and last as long as the process. Durable queues are on
disk, and are read again whenever a first session opens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from logrouter.broker.contract import Queue, QueueKind
from logrouter.broker.embedded.bindings import Routes
from logrouter.broker.embedded.queues import DelayQueue, EmbeddedQueue, IngressQueue, StoredQueue, TailQueue
from logrouter.broker.embedded.store import Store
from logrouter.errors import BrokerError, NotFound, QueueTaken

_STORED = (QueueKind.HANDOFF, QueueKind.DELAY, QueueKind.DEAD)


class VirtualHost:
    """Routes keys to queues, and stores the durable queues in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self._queues: dict[str, EmbeddedQueue] = {}
        self.routes = Routes()

    async def open(self) -> None:
        """Load what is on disk. Raises StateError if the file cannot be used."""
        saved = await self._store.open()
        for queue in saved.queues:
            self._queues[queue.name] = self._new_stored(queue)
        for queue_name, exchange, pattern in saved.bindings:
            self.routes.bind(queue_name, exchange, pattern)
        for place, queue_name, due, size in saved.messages:
            stored = self._queues.get(queue_name)
            if isinstance(stored, DelayQueue):
                stored.arrived(due or 0.0, place, size)
            elif isinstance(stored, StoredQueue):
                # It may have been delivered before: the store does not record deliveries.
                stored.arrived(place, size, redelivered=True)

    async def close(self) -> None:
        """Forget the durable queues, which the next `open` loads again, and close the file."""
        for queue in list(self._stored()):
            self._forget(queue, "the broker is closing")
        await self._store.close()

    def queue(self, name: str) -> EmbeddedQueue:
        """Return the queue of that name. Raises NotFound if there is none."""
        try:
            return self._queues[name]
        except KeyError:
            raise NotFound(f"there is no queue {name!r}") from None

    def takers(self, exchange: str, key: str) -> list[EmbeddedQueue]:
        """Return the queues that take a message. With the exchange '', `key` is the name of the queue.

        Raises NotFound if the exchange was not declared.
        """
        names = self.routes.queues(exchange, key) if exchange else (key,)
        return [self._queues[name] for name in names if name in self._queues]

    async def declare(self, queue: Queue) -> None:
        """Create a queue of any kind other than TAIL, unless it exists.

        Raises BrokerError if a queue of that name has other settings, or if the disk does not take the change.
        """
        if self._is_there(queue):
            return
        if queue.kind not in _STORED:
            self._queues[queue.name] = IngressQueue(queue)
            return
        self._queues[queue.name] = self._new_stored(queue)
        try:
            await self._store.declare(queue)
        except BrokerError:
            del self._queues[queue.name]
            raise
        for delay in self._stored():
            if isinstance(delay, DelayQueue):
                delay.wake()  # the new queue may be the target that its messages wait for

    def declare_tail(self, queue: Queue, owner: object) -> None:
        """Create a TAIL queue for one session, unless it has it already. Raises QueueTaken if the name is in use."""
        there = self._queues.get(queue.name)
        if there is None:
            tail = TailQueue(queue, owner, lambda: self._forget(tail, "its consumer was closed"))
            self._queues[queue.name] = tail
        elif not isinstance(there, TailQueue) or there.owner is not owner:
            raise QueueTaken(f"the queue {queue.name!r} belongs to another session")

    def drop_tails(self, owner: object) -> None:
        """Delete the TAIL queues of a session that has ended."""
        for queue in list(self._queues.values()):
            if isinstance(queue, TailQueue) and queue.owner is owner:
                self._forget(queue, "its session has ended")

    async def delete(self, name: str) -> None:
        """Delete a queue and its messages, if it exists."""
        queue = self._queues.get(name)
        if queue is None:
            return
        self._forget(queue, f"the queue {name!r} is gone")
        if queue.declared.kind in _STORED:
            await self._store.drop(name)
        else:
            await queue.purge()

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Add a binding, durably if the queue is durable. Raises NotFound if the queue or exchange does not exist."""
        stored = self.queue(queue).declared.kind in _STORED
        if not self.routes.declared(exchange):
            raise NotFound(f"there is no exchange {exchange!r}")
        self.routes.bind(queue, exchange, pattern)
        if stored:
            await self._store.bind(queue, exchange, pattern)

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """Remove a binding, if it exists."""
        self.routes.unbind(queue, exchange, pattern)
        if queue in self._queues and self._queues[queue].declared.kind in _STORED:
            await self._store.unbind(queue, exchange, pattern)

    def _is_there(self, queue: Queue) -> bool:
        there = self._queues.get(queue.name)
        if there is not None and there.declared != queue:
            raise BrokerError(f"the queue {queue.name!r} exists with other settings: {there.declared}")
        return there is not None

    def _new_stored(self, queue: Queue) -> StoredQueue | DelayQueue:
        if queue.kind is QueueKind.DELAY:
            return DelayQueue(queue, self._store, self._queues.get)
        return StoredQueue(queue, self._store)

    def _stored(self) -> Iterator[EmbeddedQueue]:
        return (queue for queue in self._queues.values() if queue.declared.kind in _STORED)

    def _forget(self, queue: EmbeddedQueue, reason: str) -> None:
        name = queue.declared.name
        if self._queues.get(name) is queue:
            del self._queues[name]
            self.routes.forget(name)
            queue.end(reason)
