"""Statements: what shippers and routers say of themselves each minute and at exit; the centre holds them to it.

In comes a Statement or a Message, out goes the other: `logrouter.statement/1`, one JSON object. A statement names the
sources that have changed since the last one that was confirmed, so that a host of thousands of quiet files says little.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from logrouter.errors import WireError
from logrouter.message import Message

TYPE = "logrouter.statement/1"
EXCHANGE = "logrouter.reports"
"""The durable topic exchange that statements are published to, under `shipper.HOST` or `router.INSTANCE`."""

SHIPPER, ROUTER = "shipper", "router"


Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class SourceStatement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a source is, in bytes of its content.

    input, path: what it belongs to, and where it is or was.   start: where its chain of windows begins.
    read: up to where windows were published.                  confirmed: up to where all of them are.
    lines: records between `start` and `confirmed`.
    """

    source: str
    input: str
    path: str
    start: Position
    read: Position
    confirmed: Position
    lines: Position


class Gone(msgspec.Struct, frozen=True):
    """Ranges `[start, end)` of a source that a router asked for and that cannot be read any more."""

    source: str
    ranges: list[tuple[Position, Position]]


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process says of itself.

    reporter: the same for one state directory for ever.   started, at: Unix times of the process and the statement.
    config: a hash of what it was told to do.              final: whether it is the last of the process.
    counted: named events and other counts since it started.
    session: a shipper's session, encoded.                 gone: what it was asked for and does not have.
    """

    kind: str
    reporter: str
    host: str
    version: str
    config: str
    started: float
    at: float
    final: bool = False
    sources: list[SourceStatement] = msgspec.field(default_factory=list)
    counted: dict[str, float] = msgspec.field(default_factory=dict)
    session: list[str] = msgspec.field(default_factory=list)
    gone: list[Gone] = msgspec.field(default_factory=list)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Statement)


def to_message(statement: Statement, key: str) -> Message:
    """The message that carries a statement."""
    return Message(key=key, body=_encoder.encode(statement), type=TYPE, content_type="application/json")


def from_message(message: Message) -> Statement:
    """The statement in a message. Raises WireError for anything else."""
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is no statement that this router reads ({TYPE})")
    try:
        return _decoder.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the statement does not decode: {error}") from error
