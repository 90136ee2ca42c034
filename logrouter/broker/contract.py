"""What every broker does, whichever engine is behind it: AMQP or embedded. One contract, one contract test.

A *session* is one connection: everything on it lives and dies together. When it is lost, all its unconfirmed
publishes and unacknowledged deliveries are undecided, every pending call raises SessionLost, and the caller opens a
new session and starts again from what it knows to be safe. Nothing reconnects behind the caller's back, since a
reconnect that hides itself is where other clients lose or repeat messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from logrouter.wire.message import Message

EXCHANGE = "log"
"""The durable topic exchange that everything is published to."""

TAIL_BYTES, TAIL_MESSAGES = 8 << 20, 10_000
"""What a TAIL queue holds at most: bytes of bodies, and messages; beyond either it drops its oldest."""


class QueueKind(Enum):
    """How a queue behaves; the engine turns it into arguments."""

    INGRESS = "ingress"  # durable, replicated, one active consumer at a time: order counts
    HANDOFF = "handoff"  # durable, replicated, competing consumers share the work
    DELAY = "delay"  # durable: a message waits `delay` seconds, then goes to the queue `target`, never lost between
    DEAD = "dead"  # durable: kept until a person decides
    TAIL = "tail"  # exclusive to the session and gone with it; bounded, drops its oldest


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to declare. `delay` (seconds) and `target` (the name of a HANDOFF or DEAD queue) are for DELAY alone.

    A message arrives at the target under the target's name as its key.
    """

    name: str
    kind: QueueKind
    delay: float = 0.0
    target: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message handed to a consumer; eq is identity.

    `tag` rises by one with each delivery of one consumer: a gap in the tags of a TAIL consumer is what was dropped.
    `redelivered`: it may have been handed to a consumer before.
    """

    message: Message
    tag: int
    redelivered: bool


class Consumer(Protocol):
    """Deliveries of one queue, in the queue's order, at most `prefetch` of them unacknowledged."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Each delivery once. Ends when the consumer is closed; raises SessionLost when the session is."""

    def drain(self) -> list[Delivery]:
        """The deliveries that have arrived and were not iterated over yet, without waiting."""

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle these for good. On a TAIL queue, whose deliveries count as settled when sent, it does nothing.

        Raises SessionLost where the session or this consumer has ended: they go to a consumer again.
        """

    async def close(self) -> None:
        """Stop; whatever is unacknowledged goes back to its place in the queue, marked redelivered."""


class Session(Protocol):
    """One connection to the broker.

    Every call raises SessionLost where the session is gone, or goes meanwhile. The calls that name a queue or an
    exchange raise BrokerError, and leave the session as it was, where the broker refuses: what they name is not
    there (Missing), is there with other settings, or is not for this user (Forbidden).
    """

    async def declare_exchange(self, name: str) -> None:
        """A durable topic exchange; no effect where it is there already."""

    async def exchange_exists(self, name: str) -> bool:
        """Whether an exchange is there. RabbitMQ 4.2.6 and newer want a right on it, or raise Forbidden.

        Where it is not, the broker logs an error; so in normal running nothing is asked this way.
        """

    async def declare_queue(self, queue: Queue) -> None:
        """A queue of that kind; no effect where it is there already with the same settings.

        Raises Taken for a TAIL queue of another session.
        """

    async def delete_queue(self, name: str) -> None:
        """Remove a queue with what is in it; no effect where it is not there."""

    async def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Send what is published to `exchange` under keys that match `pattern` to `queue` as well."""

    async def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """Take such a binding back; no effect where there is none."""

    def publish(
        self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False
    ) -> Awaitable[None]:
        """Send a persistent message; the order of calls is the order in the queues.

        The message is on its way when the call returns; the awaitable ends when the broker answers for it: each queue
        it was routed to holds it safely (the embedded ingress queue: its consumer has acknowledged it). There is no
        other bound on that wait than the life of the session. The exchange '' takes the key as a queue's name.

        apart: for what is to hinder nothing else. It is in no order with others, and where the broker refuses it, it
        raises BrokerError and leaves the session as it was, like a question.

        Raises (when awaited): Unroutable if `mandatory` and no queue matched, PublishRefused for a nack or for what
        the broker cannot carry (a body over MAX_BODY, a key over 255 bytes, a header of no AMQP type, too many
        headers), Missing for an exchange that nobody declared, Forbidden where this user may not publish there (then,
        unless apart, the session is of no more use), SessionLost. What was under way with a message that is refused so
        may be refused as well, though a queue may have it.
        """

    async def consume(self, queue: str, *, prefetch: int, budget: int = 0) -> Consumer:
        """Start to receive from a queue. An INGRESS queue delivers to its oldest live consumer alone.

        budget: bytes of messages that may be unacknowledged, beside the last one to arrive; 0 for no bound. With one,
        what the consumer holds is bounded whatever the size of messages, so it must be able to acknowledge what it has.
        Not for TAIL queues, which are bounded themselves.
        """

    async def depth(self, queue: str) -> int:
        """Messages in the queue that are ready for delivery. RabbitMQ 4.2.6 and newer want a right on it."""

    async def purge(self, queue: str) -> int:
        """Drop the ready messages of a queue and say how many; those in a consumer's hands stay."""

    async def settle(self) -> None:
        """Wait until queues that were declared just now would keep what they confirm over the broker's death.

        RabbitMQ, 4.3 too, loses a quorum queue's first messages when it is killed within a second of the queue's birth.
        """

    async def lost(self) -> str:
        """Wait until the session is gone, and say why."""

    @property
    def blocked(self) -> bool:
        """Whether the broker has asked publishers to hold (memory or disk alarm)."""


class Broker(Protocol):
    """A way to reach an exchange."""

    @property
    def name(self) -> str:
        """The address for people to read, without its password."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Connect. Raises SessionLost when it cannot, with the reason; the caller retries with backoff."""
