"""The statement message, `logrouter.statement/1`: what shippers and routers report each minute and at exit.

Routers record statements in the ledger, and an audit compares them with the archives. A statement names only the
sources that changed since the last confirmed statement, so a host with thousands of quiet files reports little. This
module limits every value of a statement, because each ends up in the ledger and an audit adds them up.
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
"""The durable topic exchange for statements. The key is `shipper.HOST` or `router.INSTANCE`."""

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
"""The counts of shippers that concern content which they cannot guarantee to deliver."""

MOST_SOURCES = 20_000
"""The maximum number of sources in one statement. A shipper with more sends several statements."""

_MOST_BYTES = 8 << 20
_MOST_COUNTED = 500
_DEEPEST = 8
"""The maximum number of levels of JSON. Three are in use, and a later version may add some."""

_MAX_DISPLAYED = 4096
"""The maximum number of characters of a path or an input, which are only displayed."""

_LATEST = 7_258_118_400.0
"""The year 2200, in Unix time. Later times are implausible."""

_MAX_AHEAD = 86_400.0
"""The maximum number of seconds by which a reporter's clock may be ahead of ours."""

Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=float(1 << 53))]


class SourceStatement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The progress of a source. Positions are in bytes of its content.

    input, path: the input that the source belongs to, and its current or last path.
    start: the position at which its chain of windows begins.
    read: the position up to which windows were published.
    confirmed: the position up to which all windows are confirmed.
    lines: the number of records between `start` and `confirmed`.
    by_line: whether each line is a record, no matter how often and from which position the source is read.
    since: when the source was first followed, in Unix time, or 0 if unknown.
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
    """Ranges `[start, end)` of a source that a router requested but that can no longer be read."""

    source: str
    ranges: Annotated[list[tuple[Position, Position]], msgspec.Meta(max_length=1000)]


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report of a process about itself.

    reporter: the permanent id of the process's state directory.
    started, at: when the process started and when it made the statement, in Unix time.
    config: a hash of its configuration.
    final: whether this is the last statement of the process.
    counted: event counts and other counts since the process started.
    session: the session of a shipper, encoded.
    gone: requested ranges that can no longer be read.
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
    """Return the message that carries a statement."""
    return Message(key=key, body=_encoder.encode(statement), type=TYPE, content_type="application/json")


def from_message(message: Message, now: float | None = None) -> Statement:
    """Return the statement in a message that was received at `now` (Unix time, by default the current time).

    Raises WireError if the message is not a valid statement, or if its positions are impossible.
    """
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is not a statement that this router reads ({TYPE})")
    if len(message.body) > _MOST_BYTES:
        raise WireError(f"the statement has {len(message.body)} bytes, but at most {_MOST_BYTES} are allowed")
    if is_deeper_than(message.body, _DEEPEST):
        raise WireError(f"the statement is nested deeper than {_DEEPEST} levels")
    try:
        statement = _decoder.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the statement does not decode: {error}") from error
    return _plausible(statement, time.time() if now is None else now)


def _plausible(statement: Statement, now: float) -> Statement:
    """Return the statement with implausible times replaced and overlong texts truncated.

    Raises WireError if its positions are impossible.
    """
    for source in statement.sources:
        if not source.start <= source.confirmed <= source.read or source.lines > source.confirmed - source.start:
            raise WireError(
                f"impossible source {source.source!r}: {source.lines} lines, from {source.start}, confirmed up to "
                f"{source.confirmed}, read up to {source.read}"
            )
    return msgspec.structs.replace(
        statement,
        started=statement.started if 0 <= statement.started <= _LATEST else 0.0,
        at=statement.at if 0 <= statement.at <= min(now + _MAX_AHEAD, _LATEST) else now,
        sources=[
            msgspec.structs.replace(each, input=each.input[:_MAX_DISPLAYED], path=each.path[:_MAX_DISPLAYED])
            if len(each.input) > _MAX_DISPLAYED or len(each.path) > _MAX_DISPLAYED
            else each
            for each in statement.sources
        ],
    )
