"""The batch message, `logrouter.batch/1`: one part of a window, which a shipper publishes and a router reads.

A shipper reads a source in contiguous windows `[from, to)` of whole records. A window is sent as one part for each
(service, host, severity) in it. docs/wire-format.md is the reference, and golden messages in tests/contract check this
module against it.
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
"""The limits of filing times, in ms since 1970: the years 1 to 9999, less a day at each end for time zones."""

_MIN_COMPRESSED = 512
"""The least bytes of a body to compress. Below that, zstd saves too little."""

_CHUNK = 1 << 20
"""The bytes to decompress at a time if the zstd frame does not state its content size."""

_MAX_SOURCE_NAME = 256
"""The maximum number of characters in the name of the source that `after` refers to."""

_PREFIX = "x-logrouter-"
_FAMILY = "logrouter.batch/"


@dataclass(frozen=True, slots=True)
class Part:
    """The records of one window that share service, host and severity, as NDJSON in the order of their `pos`.

    source: the id of the source that the window was read from, such as one generation of a log.
    start: the position at which the source's chain of windows begins.
    from_, to: the window, in bytes of the source.
    part: the index of this part in `keys`, from 0.
    keys: the routing keys of all parts of the window.
    count: the number of records in the body.
    first, last: the earliest and latest filing time in the body, in milliseconds since 1970 UTC. The filing time of a
    record is `received` if it has one, otherwise `ts`.
    encoding: the compression of the body, '' or 'zstd' (see `packed`).
    session: the session in which the part was published, None if the shipper does not state it.
    again: true if a router requested the window, because the broker lost it before.
    after: in a source's first window, the source before it in its log and the position up to which that was read.
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
        """The routing key of this part."""
        return self.keys[self.part]


def whole(records: Sequence[Record], *, start: int, from_: int, to: int, filed: int) -> Part:
    """Return the only part of a window whose records all share service, host and severity.

    filed: the filing time of all records, in milliseconds since 1970.
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
    """Return the message that carries `part`. `headers` are added to the headers of the part."""
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
    """Return the part with its body compressed by zstd.

    A body that is too small to gain, or larger than MAX_BODY, which no reader would decompress, stays as it is.
    """
    if not _MIN_COMPRESSED <= len(part.body) <= MAX_BODY:
        return part
    return replace(part, body=zstandard.ZstdCompressor(level=1).compress(part.body), encoding="zstd")


def is_batch(message: Message) -> bool:
    """Report whether a message declares itself a batch of logrouter, in any version. All others are foreign."""
    return message.type.startswith(_FAMILY)


def from_message(message: Message) -> Part:
    """Return the part in a batch message, with its body decompressed. Raises WireError if the message is invalid."""
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is newer than this router, which reads {TYPE!r}; upgrade the router")
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
        raise WireError(f"the body has {len(part.body)} bytes, but at most {MAX_BODY} are allowed")
    if part.count < 1 or not EARLIEST <= part.first <= part.last <= LATEST:
        raise WireError(f"impossible records: count {part.count}, first {part.first}, last {part.last}")
    if not part.source or not 0 <= part.start <= part.from_ < part.to < 1 << 63 or not 0 <= part.part < len(part.keys):
        raise WireError(
            f"impossible window: source {part.source!r}, start {part.start}, [{part.from_}, {part.to}), "
            f"part {part.part} of {len(part.keys)}"
        )
    return part


def unpack(body: bytes, encoding: str) -> bytes:
    """Return a decompressed body. `encoding` is '', 'identity' or 'zstd'.

    Raises WireError for any other encoding, and for a body that does not decompress or is too large.
    """
    if encoding in ("", "identity"):
        return body
    if encoding != "zstd":
        raise WireError(f"content encoding {encoding!r} is unknown; use zstd or none")
    try:
        return _decompress_zstd(body)
    except (zstandard.ZstdError, MemoryError) as error:
        raise WireError(f"the zstd body does not decompress: {error}") from error


def _decompress_zstd(compressed: bytes) -> bytes:
    """Return the content of the first frame, of at most MAX_BODY bytes.

    The library allocates the size that a frame states, whatever limit it is given, so this checks the size first.
    """
    size = zstandard.frame_content_size(compressed)
    if size > MAX_BODY:
        raise WireError(f"the zstd body decompresses to {size} bytes, but at most {MAX_BODY} are allowed")
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_BODY)
    if size >= 0:
        return decompressor.decompress(compressed, max_output_size=MAX_BODY)
    with decompressor.stream_reader(compressed) as reader:
        body = bytearray()
        while chunk := reader.read(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                raise WireError(f"the zstd body decompresses to more than {MAX_BODY} bytes")
    return bytes(body)


def _session(message: Message) -> ShipperSession | None:
    points = message.headers.get(_PREFIX + "session")
    return decoded(points) if isinstance(points, list | tuple) else None


def _after(message: Message) -> tuple[str, int] | None:
    """Return the source before this one and how far it was read. None if the header is absent or invalid."""
    match message.headers.get(_PREFIX + "after"):
        case [str(source), int(reached)] if 0 < len(source) <= _MAX_SOURCE_NAME and 0 < reached < 1 << 63:
            return source, reached
    return None


def _header(message: Message, name: str, kind: type[Any]) -> Any:
    value = message.headers.get(_PREFIX + name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WireError(f"header {_PREFIX}{name} is {value!r}, not {kind.__name__}")
    return value
