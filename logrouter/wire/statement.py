"""Statements: what shippers and routers say of themselves each minute and at exit; the centre holds them to it.

In comes a Statement or a Message, out goes the other: `logrouter.statement/1`, one JSON object. A statement names the
sources that have changed since the last one that was confirmed, so that a host of thousands of quiet files says little.
What others state is bounded here: each value ends up in the ledger, and an audit adds them up.
"""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from logrouter.errors import WireError
from logrouter.wire.message import Message
from logrouter.wire.nesting import is_deeper_than

TYPE = "logrouter.statement/1"
EXCHANGE = "logrouter.reports"
"""The durable topic exchange that statements are published to, under `shipper.HOST` or `router.INSTANCE`."""

SHIPPER, ROUTER = "shipper", "router"


EXCEPTIONS = (
    "file.rewritten",
    "file.gone",
    "line.cut",
    "input.dropped",
    "spool.lost",
    "state.broken",
    "state.cloned",
    "kernel drops",
    "unread bytes",
    "shed",
)
"""What shippers count because nobody could promise it."""

MOST_SOURCES = 20_000
"""In one statement; whoever has more to say makes several."""

_MOST_BYTES = 8 << 20
_MOST_COUNTED = 500
_DEEPEST = 8
"""Levels of JSON: three are in use, and a later version may add some."""

_SHOWN = 4096
"""Characters of a path or an input, which are only shown."""

_LATEST = 7_258_118_400.0
"""The year 2200, Unix time."""

_AHEAD = 86_400.0
"""Seconds by which a clock may be ahead of ours."""

Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=float(1 << 53))]


class SourceStatement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a source is, in bytes of its content.

    input, path: what it belongs to, and where it is or was.   start: where its chain of windows begins.
    read: up to where windows were published.                  confirmed: up to where all of them are.
    lines: records between `start` and `confirmed`.
    by_line: each line is a record, however often and from wherever it is read.
    since: when it was first followed, Unix time; 0 if nobody knows.
    """

    source: Name
    input: str
    path: str
    start: Position
    read: Position
    confirmed: Position
    lines: Position
    by_line: bool = False
    since: float = 0.0


class Gone(msgspec.Struct, frozen=True):
    """Ranges `[start, end)` of a source that a router asked for and that cannot be read any more."""

    source: str
    ranges: Annotated[list[tuple[Position, Position]], msgspec.Meta(max_length=1000)]


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process says of itself.

    reporter: the same for one state directory for ever.   started, at: Unix times of the process and the statement.
    config: a hash of what it was told to do.              final: whether it is the last of the process.
    counted: named events and other counts since it started.
    session: a shipper's session, encoded.                 gone: what it was asked for and does not have.
    """

    kind: Text
    reporter: Name
    host: Text
    version: Text
    config: Text
    started: float
    at: float
    final: bool = False
    sources: Annotated[list[SourceStatement], msgspec.Meta(max_length=MOST_SOURCES)] = msgspec.field(
        default_factory=list
    )
    counted: Annotated[dict[Text, Amount], msgspec.Meta(max_length=_MOST_COUNTED)] = msgspec.field(default_factory=dict)
    session: Annotated[list[Text], msgspec.Meta(max_length=16)] = msgspec.field(default_factory=list)
    gone: Annotated[list[Gone], msgspec.Meta(max_length=1000)] = msgspec.field(default_factory=list)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Statement)


def to_message(statement: Statement, key: str) -> Message:
    """The message that carries a statement."""
    return Message(key=key, body=_encoder.encode(statement), type=TYPE, content_type="application/json")


def from_message(message: Message, now: float | None = None) -> Statement:
    """The statement in a message, received at `now` (Unix time).

    Raises WireError for anything else, and for what cannot be true.
    """
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is no statement that this router reads ({TYPE})")
    if len(message.body) > _MOST_BYTES:
        raise WireError(f"the statement has {len(message.body)} bytes, at most {_MOST_BYTES} are read")
    if is_deeper_than(message.body, _DEEPEST):
        raise WireError(f"the statement is nested deeper than {_DEEPEST} levels")
    try:
        statement = _decoder.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the statement does not decode: {error}") from error
    return _plausible(statement, time.time() if now is None else now)


def _plausible(statement: Statement, now: float) -> Statement:
    """What of it can be true: of a clock that is far off nothing is believed."""
    for source in statement.sources:
        if not source.start <= source.confirmed <= source.read or source.lines > source.confirmed - source.start:
            raise WireError(
                f"impossible source {source.source!r}: {source.lines} lines, from {source.start}, confirmed up to "
                f"{source.confirmed}, read up to {source.read}"
            )
    return msgspec.structs.replace(
        statement,
        started=statement.started if 0 <= statement.started <= _LATEST else 0.0,
        at=statement.at if 0 <= statement.at <= min(now + _AHEAD, _LATEST) else now,
        sources=[
            msgspec.structs.replace(each, input=each.input[:_SHOWN], path=each.path[:_SHOWN])
            if len(each.input) > _SHOWN or len(each.path) > _SHOWN
            else each
            for each in statement.sources
        ],
    )
