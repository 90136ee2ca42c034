"""The contract of every broker, AMQP or embedded. One contract test covers all engines.

A *session* is one connection, and everything on it ends with it. When a session is lost, the outcome of its unconfirmed
publishes and unacknowledged deliveries is unknown, and every pending call raises SessionLost. The caller then opens a
new session and starts again from the last position that it knows to be safe. Nothing reconnects automatically, because
hidden reconnects are where other clients lose or repeat messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from logrouter.wire.message import Message

EXCHANGE = "log"
"""The durable topic exchange that records are published to."""

TAIL_BYTES, TAIL_MESSAGES = 8 << 20, 10_000
"""The limits of a TAIL queue: bytes of bodies, and messages. Beyond either, the queue drops its oldest message."""


class QueueKind(Enum):
    """How a queue behaves. Each engine translates this into its own settings."""

    INGRESS = "ingress"  # durable, replicated, one active consumer at a time, to keep the order
    HANDOFF = "handoff"  # durable, replicated, shared by competing consumers
    DELAY = "delay"  # durable: after `delay` seconds a message moves to the queue `target`, without loss
    DEAD = "dead"  # durable: messages stay until a person deals with them
    TAIL = "tail"  # exclusive to its session and deleted with it; bounded, drops its oldest


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to declare. `delay` (seconds) and `target` (the name of a HANDOFF or DEAD queue) apply only to DELAY.

    A message that moves to the target gets the target's name as its key.
    """

    name: str
    kind: QueueKind
    delay: float = 0.0
    target: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that a consumer received. Deliveries are compared by identity.

    `tag` rises by one with each delivery of a consumer. A gap in the tags of a TAIL consumer shows how many messages
    were dropped. `redelivered` is true if a consumer may have received the message before.
    """

    message: Message
    tag: int
    redelivered: bool


class Consumer(Protocol):
    """The deliveries of one queue, in the queue's order, at most `prefetch` of them unacknowledged."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Yield each delivery once. Ends when the consumer is closed. Raises SessionLost when the session ends."""

    def drain(self) -> list[Delivery]:
        """Return the deliveries that have arrived and were not iterated over yet, without waiting."""

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge these. Does nothing on a TAIL queue, whose deliveries count as acknowledged when they are sent.

        Raises SessionLost if the session or this consumer has ended. The broker then delivers them again.
        """

    async def close(self) -> None:
        """Stop. Unacknowledged deliveries go back to their positions in the queue, marked as redelivered."""


class Session(Protocol):
    """One connection to the broker.

    Every call raises SessionLost if the session has ended or ends during the call. Calls that name a queue or an
    exchange raise BrokerError if the broker refuses them: NotFound if it does not exist, Forbidden if the user lacks a
    permission, and BrokerError if it exists with other settings. The session stays usable after such an error.
    """

    async def declare_exchange(self, name: str) -> None:
        """Create a durable topic exchange, unless it exists."""

    async def exchange_exists(self, name: str) -> bool:
        """Report whether an exchange exists. RabbitMQ 4.2.6 and later require a permission on it, or raise Forbidden.

        If it does not exist, RabbitMQ logs an error, so do not call this in normal operation.
        """

    async def declare_queue(self, queue: Queue) -> None:
        """Create a queue, unless it exists with the same settings.

        Raises QueueTaken for a TAIL queue of another session.
        """

    async def delete_queue(self, name: str) -> None:
        """Delete a queue and its messages, if it exists."""

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Route messages that are published to `exchange` with a key that matches `pattern` to `queue` as well."""

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """Remove a binding, if it exists."""

    def publish(
        self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False
    ) -> Awaitable[None]:
        """Publish a persistent message. Queues hold messages in the order of the calls.

        The message is queued for sending when the call returns. The awaitable completes when the broker confirms the
        message: every queue it was routed to holds it safely (for an embedded ingress queue: its consumer has
        acknowledged it). Only the end of the session limits that wait. With the exchange '', the key is the name of a
        queue.

        apart: publish without affecting anything else. The message has no order relative to others. If the broker
        refuses it, the awaitable raises BrokerError and the session stays usable.

        Raises, when awaited: Unroutable if `mandatory` is true and no queue matches. PublishRefused for a nack, or for
        a message that the broker cannot carry (a body over MAX_BODY, a key over 255 bytes, a header without an AMQP
        type, headers that are too large). NotFound if the exchange does not exist. Forbidden if the user may not
        publish there; unless `apart` is true, discard the session then. SessionLost if the session ends. When a message
        is refused, others that are unconfirmed at that moment may be refused as well, although a queue may hold them.
        """

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> Consumer:
        """Start to consume a queue. An INGRESS queue delivers only to its oldest live consumer.

        budget: the bytes of messages that may be unacknowledged, not counting the last one to arrive; 0 for no limit.
        Deliveries stop while the consumer holds more, so it must be able to acknowledge what it already has. Not for
        TAIL queues, which have limits of their own.
        """

    async def depth(self, queue: str) -> int:
        """Return the number of messages that are ready for delivery.

        RabbitMQ 4.2.6 and later require a permission on the queue, or raise Forbidden.
        """

    async def purge(self, queue: str) -> int:
        """Discard the messages that are ready for delivery and return their number. Unacknowledged ones stay."""

    async def settle(self) -> None:
        """Wait until newly declared queues keep confirmed messages even if the broker is killed.

        RabbitMQ, including 4.3, loses a quorum queue's first messages if it is killed within a second of the queue's
        declaration.
        """

    async def lost(self) -> str:
        """Wait until the session ends, and return the reason."""

    @property
    def blocked(self) -> bool:
        """Whether the broker has asked publishers to pause (a memory or disk alarm)."""


class Broker(Protocol):
    """A broker that sessions can be opened on."""

    @property
    def name(self) -> str:
        """The address in a form for people, without its password."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Connect. Raises SessionLost, with the reason, if that fails; the caller retries with a backoff."""
