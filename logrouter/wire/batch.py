"""A part of a window as a message: what a shipper publishes and a router reads, `logrouter.batch/1`.

A shipper reads a source in contiguous windows `[from, to)` of whole records; a window travels as one part for each
(service, host, severity) in it. In come records or a Message, out goes the other. docs/wire-format.md is the
reference; golden messages in tests/contract hold this file to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import zstandard

from logrouter.errors import WireError
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.routing_key import routing_key
from logrouter.wire.session import ShipperSession, decoded

TYPE = "logrouter.batch/1"
CONTENT_TYPE = "application/x-ndjson"
EARLIEST, LATEST = -62_135_510_400_000, 253_402_214_400_000
"""Filing times, in ms since 1970: a day within what every time zone can show of the years 1 to 9999."""

_WORTH_PACKING = 512
"""Bytes; below that zstd saves too little."""

_CHUNK = 1 << 20
"""Bytes unpacked at a time of a body that does not say how many it holds."""

_LONGEST_NAME = 256
"""Characters of the name of a source that comes before another."""

_PREFIX = "x-logrouter-"
_FAMILY = "logrouter.batch/"


@dataclass(frozen=True, slots=True)
class Part:
    """The records of one window that share service, host and severity, as NDJSON in the order of their `pos`.

    source: the incarnation the window was read from.      start: where that incarnation's chain of windows begins.
    from_, to: the window, in bytes of the source.          part: this part's place in `keys`, from 0.
    keys: the routing keys of all parts of the window.      count: records in the body.
    first, last: the earliest and latest filing time in the body, milliseconds since 1970 UTC (`ts`, or `received`
    where the record has one).                             encoding: of the body, '' or 'zstd' (`packed`).
    session: in which it was published, None where a shipper does not say.
    again: it was asked for, since the broker lost what was published before.
    after: of a source's first window, the source before it in its log, and up to where that had been read.
    """

    source: str
    start: int
    from_: int
    to: int
    part: int
    keys: tuple[str, ...]
    service: str
    host: str
    severity: str
    count: int
    first: int
    last: int
    body: bytes
    encoding: str = ""
    session: ShipperSession | None = None
    again: bool = False
    after: tuple[str, int] | None = None

    @property
    def key(self) -> str:
        """The routing key that this part travels under."""
        return self.keys[self.part]


def whole(records: Sequence[Record], *, start: int, from_: int, to: int, filed: int) -> Part:
    """A window of which all records share service, host and severity, as its one part.

    filed: their filing time, milliseconds since 1970.
    """
    first = records[0]
    return Part(
        source=first.source,
        start=start,
        from_=from_,
        to=to,
        part=0,
        keys=(routing_key(first.service, first.host, first.severity),),
        service=first.service,
        host=first.host,
        severity=first.severity,
        count=len(records),
        first=filed,
        last=filed,
        body=encode_lines(records),
    )


def to_message(part: Part, headers: Mapping[str, Any] | None = None) -> Message:
    """The message that carries `part`; `headers` are added to its own."""
    own = {
        "source": part.source,
        "start": part.start,
        "from": part.from_,
        "to": part.to,
        "part": part.part,
        "keys": list(part.keys),
        "service": part.service,
        "host": part.host,
        "severity": part.severity,
        "count": part.count,
        "first": part.first,
        "last": part.last,
    }
    if part.session is not None:
        own["session"] = part.session.encoded()
    if part.again:
        own["again"] = True
    if part.after is not None:
        own["after"] = list(part.after)
    return Message(
        key=part.key,
        body=part.body,
        type=TYPE,
        content_type=CONTENT_TYPE,
        content_encoding=part.encoding,
        headers={_PREFIX + name: value for name, value in own.items()} | dict(headers or {}),
    )


def packed(part: Part) -> Part:
    """The part with its body as zstd, where it is large enough for that and every reader will unpack it."""
    if not _WORTH_PACKING <= len(part.body) <= MAX_BODY:
        return part
    return replace(part, body=zstandard.ZstdCompressor(level=1).compress(part.body), encoding="zstd")


def is_batch(message: Message) -> bool:
    """Whether a message declares itself as ours, in any version; all others are foreign."""
    return message.type.startswith(_FAMILY)


def from_message(message: Message) -> Part:
    """The part in a message that declares itself as ours, unpacked. Raises WireError naming what is wrong with it."""
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is newer than this router, which reads {TYPE!r}")
    keys = _header(message, "keys", list)
    if not all(isinstance(key, str) for key in keys):
        raise WireError(f"header {_PREFIX}keys holds something that is not a string: {keys!r}")
    part = Part(
        source=_header(message, "source", str),
        start=_header(message, "start", int),
        from_=_header(message, "from", int),
        to=_header(message, "to", int),
        part=_header(message, "part", int),
        keys=tuple(keys),
        service=_header(message, "service", str),
        host=_header(message, "host", str),
        severity=_header(message, "severity", str),
        count=_header(message, "count", int),
        first=_header(message, "first", int),
        last=_header(message, "last", int),
        body=unpack(message.body, message.content_encoding),
        session=_session(message),
        again=message.headers.get(_PREFIX + "again") is True,
        after=_after(message),
    )
    if len(part.body) > MAX_BODY:
        raise WireError(f"the body has {len(part.body)} bytes, and {MAX_BODY} are allowed")
    if part.count < 1 or not EARLIEST <= part.first <= part.last <= LATEST:
        raise WireError(f"impossible records: count {part.count}, first {part.first}, last {part.last}")
    if not part.source or not 0 <= part.start <= part.from_ < part.to < 1 << 63 or not 0 <= part.part < len(part.keys):
        raise WireError(
            f"impossible window: source {part.source!r}, start {part.start}, [{part.from_}, {part.to}), "
            f"part {part.part} of {len(part.keys)}"
        )
    return part


def unpack(body: bytes, encoding: str) -> bytes:
    """A body without its content encoding ('' or 'zstd'). Raises WireError for any other, or a broken one."""
    if encoding in ("", "identity"):
        return body
    if encoding != "zstd":
        raise WireError(f"content encoding {encoding!r} is not known; use zstd or none")
    try:
        return _unpack_zstd(body)
    except (zstandard.ZstdError, MemoryError) as error:
        raise WireError(f"the zstd body does not unpack: {error}") from error


def _unpack_zstd(packed: bytes) -> bytes:
    """The first frame, of MAX_BODY bytes at most.

    The library allocates what a frame says that it holds, whatever limit it is given, so that is looked at before.
    """
    size = zstandard.frame_content_size(packed)
    if size > MAX_BODY:
        raise WireError(f"the zstd body unpacks to {size} bytes, and {MAX_BODY} are allowed")
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_BODY)
    if size >= 0:
        return unpacker.decompress(packed, max_output_size=MAX_BODY)
    with unpacker.stream_reader(packed) as reader:
        body = bytearray()
        while chunk := reader.read(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                raise WireError(f"the zstd body unpacks to more than {MAX_BODY} bytes")
    return bytes(body)


def _session(message: Message) -> ShipperSession | None:
    points = message.headers.get(_PREFIX + "session")
    return decoded(points) if isinstance(points, list | tuple) else None


def _after(message: Message) -> tuple[str, int] | None:
    """What it says that it comes after; None where that says nothing."""
    match message.headers.get(_PREFIX + "after"):
        case [str(source), int(reached)] if 0 < len(source) <= _LONGEST_NAME and 0 < reached < 1 << 63:
            return source, reached
    return None


def _header(message: Message, name: str, kind: type[Any]) -> Any:
    value = message.headers.get(_PREFIX + name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WireError(f"header {_PREFIX}{name} is {value!r}, not {kind.__name__}")
    return value
