"""Hand-off queues: carry records to the destinations that do not commit together with the ledger.

The records of a decided slice are published to the destination's own queue, and confirmed before the ledger is written.
From there they are gathered and composed into notifications for the outbox. Each notification is delivered, retried
after a delay, or moved to the dead letters:

    logrouter.I.D -> gathering -> logrouter.I.D.outbox -> delivering -> the world
                                        ^  logrouter.I.D.retry.10s ...  logrouter.I.D.dead
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

from logrouter.broker.contract import Queue, QueueKind, Session
from logrouter.errors import PublishRefused
from logrouter.support.terminal import printable
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.routing_key import ingress
from logrouter.wire.slices import Slice

RETRIES = (10.0, 60.0, 600.0, 3600.0)
"""Seconds before the second, third, ... try. The last delay is used for all further tries."""

_LONGEST = 500
"""The most characters of a header that we add."""

_MOST_ATTEMPTS = 1 << 20

KEY, RULE, ATTEMPTS, REASON = (f"x-logrouter-{name}" for name in ("key", "rule", "attempts", "reason"))


@dataclass(frozen=True, slots=True)
class Handoff:
    """The queues of one destination of an instance. retries: as RETRIES."""

    instance: str
    destination: str
    retries: tuple[float, ...] = RETRIES

    @property
    def records(self) -> str:
        """The queue of records that were decided for the destination."""
        return f"{ingress(self.instance)}.{self.destination}"

    @property
    def outbox(self) -> str:
        """The queue of notifications to deliver."""
        return f"{self.records}.outbox"

    @property
    def dead(self) -> str:
        """The queue of dead letters: what the destination refused, until a person decides about it."""
        return f"{self.records}.dead"

    def retry(self, attempts: int) -> str:
        """Return the delay queue for a notification after this many tries, at least 1."""
        return f"{self.records}.retry.{_written(self.retries[min(attempts, len(self.retries)) - 1])}"

    @property
    def delays(self) -> list[str]:
        """The queues in which notifications wait for another try, the shortest delay first."""
        return [self.retry(attempts) for attempts in range(1, len(self.retries) + 1)]

    @property
    def pending_queues(self) -> tuple[str, ...]:
        """The queues that are empty when everything has been delivered or refused."""
        return self.records, self.outbox, *self.delays

    def queues(self) -> Iterator[Queue]:
        """Yield all queues, in the order in which they have to be declared."""
        yield Queue(self.dead, QueueKind.DEAD)
        yield Queue(self.outbox, QueueKind.HANDOFF)
        for name, seconds in zip(self.delays, self.retries, strict=True):
            yield Queue(name, QueueKind.DELAY, seconds, self.outbox)
        yield Queue(self.records, QueueKind.HANDOFF)

    def message(self, piece: Slice, rule: str) -> Message:
        """Return the message that hands the records of a slice to the destination."""
        return addressed_to(self.records, message_of(piece), rule=rule)


def message_of(piece: Slice) -> Message:
    """Return the records of a slice as a message with their routing key."""
    first, last = piece.places[0], piece.places[-1]
    part = Part(
        source=piece.source,
        start=first.pos,
        from_=first.pos,
        to=last.end,
        part=0,
        keys=(piece.key,),
        service=piece.service,
        host=piece.host,
        severity=piece.severity,
        count=len(piece),
        first=piece.first,
        last=piece.last,
        body=piece.body,
    )
    return replace(to_message(part), message_id=identity(piece))


def identity(piece: Slice) -> str:
    """Return an id for the records of a slice: equal for equal slices, but new in each call for a foreign one."""
    if piece.is_foreign:
        return token_hex(8)
    return f"{piece.source}:{piece.places[0].pos}-{piece.places[-1].end}:{len(piece)}:{piece.key}"


def addressed_to(queue: str, message: Message, **headers: Any) -> Message:
    """Return a copy of a message with the queue's name as routing key.

    A header keeps the routing key that the message came with. Each of `headers` is added as `x-logrouter-NAME`.
    """
    added = {f"x-logrouter-{name}": _short(value) for name, value in headers.items()}
    return replace(message, key=queue, headers={KEY: message.key, **message.headers, **added})


async def hand_off(session: Session, message: Message) -> None:
    """Publish a message to its queue, and return when it is confirmed. Raises BrokerError.

    If the broker refuses it, it is published again with our own headers only, because its other headers may be ones
    that no broker takes.
    """
    try:
        await session.publish("", message)
    except PublishRefused:
        texts = {name: _short(message.headers.get(name)) for name in (KEY, RULE, REASON)}
        kept = {name: text for name, text in texts.items() if isinstance(text, str)} | {ATTEMPTS: attempts_of(message)}
        await session.publish("", replace(message, headers=kept))


def attempts_of(message: Message) -> int:
    """Return how often the delivery was tried, by the header of the message; 0 if that is missing or invalid."""
    attempts = message.headers.get(ATTEMPTS)
    return attempts if isinstance(attempts, int) and 0 <= attempts < _MOST_ATTEMPTS else 0


def _short(value: Any) -> Any:
    """Make a header that quotes foreign text short, and printable, so that a broker takes it."""
    return printable(value[:_LONGEST])[:_LONGEST] if isinstance(value, str) else value


def _written(seconds: float) -> str:
    """Return a delay in the form for a queue's name: `10s`, `1m`, `1h`."""
    for size, unit in ((3600.0, "h"), (60.0, "m"), (1.0, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
