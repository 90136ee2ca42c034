"""Hand-off queues: the one way out of the router for all that does not commit together with the ledger.

In comes a decided slice, out goes a message for the destination's own queue, confirmed before the ledger is written.
From there the records are gathered, turned into notifications in the outbox, and each of these is delivered, tried
again after a while, or laid among the dead letters:

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
"""Seconds before the second, third, ... try; the last one holds for all that follow."""

_LONGEST = 500
"""Characters of a header that we add."""

_MOST_ATTEMPTS = 1 << 20

KEY, RULE, ATTEMPTS, REASON = (f"x-logrouter-{name}" for name in ("key", "rule", "attempts", "reason"))


@dataclass(frozen=True, slots=True)
class Handoff:
    """The queues of one destination of an instance."""

    instance: str
    destination: str
    retries: tuple[float, ...] = RETRIES

    @property
    def records(self) -> str:
        """What was decided for the destination."""
        return f"{ingress(self.instance)}.{self.destination}"

    @property
    def outbox(self) -> str:
        """Notifications that are to be delivered."""
        return f"{self.records}.outbox"

    @property
    def dead(self) -> str:
        """What the destination refused, until a person decides."""
        return f"{self.records}.dead"

    def retry(self, attempts: int) -> str:
        """Where a notification waits that was tried so often."""
        return f"{self.records}.retry.{_written(self.retries[min(attempts, len(self.retries)) - 1])}"

    @property
    def delays(self) -> list[str]:
        """The queues in which notifications wait for another try."""
        return [self.retry(attempts) for attempts in range(1, len(self.retries) + 1)]

    @property
    def to_be_told(self) -> tuple[str, ...]:
        """The queues that are empty once all has been told or refused."""
        return self.records, self.outbox, *self.delays

    def queues(self) -> Iterator[Queue]:
        """All of them, in the order in which they have to be declared."""
        yield Queue(self.dead, QueueKind.DEAD)
        yield Queue(self.outbox, QueueKind.HANDOFF)
        for name, seconds in zip(self.delays, self.retries, strict=True):
            yield Queue(name, QueueKind.DELAY, seconds, self.outbox)
        yield Queue(self.records, QueueKind.HANDOFF)

    def message(self, piece: Slice, rule: str) -> Message:
        """The records of a slice for the destination."""
        return sent_to(self.records, carried(piece), rule=rule)


def carried(piece: Slice) -> Message:
    """The records of a slice as a message, under their key."""
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
    """What names the records of a slice: slices of the same get the same, foreign ones always another."""
    if piece.is_foreign:
        return token_hex(8)
    return f"{piece.source}:{piece.places[0].pos}-{piece.places[-1].end}:{len(piece)}:{piece.key}"


def sent_to(queue: str, message: Message, **headers: Any) -> Message:
    """A copy of a message under a queue's name, which keeps the key that it came under; `headers` are added."""
    added = {f"x-logrouter-{name}": _short(value) for name, value in headers.items()}
    return replace(message, key=queue, headers={KEY: message.key, **message.headers, **added})


async def hand_off(session: Session, message: Message) -> None:
    """Publish to a queue of ours; with our own headers alone where no broker takes those that the message came with.

    Raises BrokerError.
    """
    try:
        await session.publish("", message)
    except PublishRefused:
        texts = {name: _short(message.headers.get(name)) for name in (KEY, RULE, REASON)}
        kept = {name: text for name, text in texts.items() if isinstance(text, str)} | {ATTEMPTS: attempts_of(message)}
        await session.publish("", replace(message, headers=kept))


def attempts_of(message: Message) -> int:
    """How often its delivery was tried, as the message says; 0 where it says nothing that can be."""
    attempts = message.headers.get(ATTEMPTS)
    return attempts if isinstance(attempts, int) and 0 <= attempts < _MOST_ATTEMPTS else 0


def _short(value: Any) -> Any:
    """A header that quotes what somebody else has written stays small, and is text that a broker takes."""
    return printable(value[:_LONGEST])[:_LONGEST] if isinstance(value, str) else value


def _written(seconds: float) -> str:
    """`10s`, `1m`, `1h`: a delay as it stands in a queue's name."""
    for size, unit in ((3600.0, "h"), (60.0, "m"), (1.0, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
