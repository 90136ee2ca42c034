"""The record: one log line on the wire and in archives, as NDJSON, from which the original bytes can be restored.

docs/wire-format.md fixes the format. A later version may add fields but never changes the meaning of one, and a reader
ignores fields that it does not know.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from logrouter.errors import WireError
from logrouter.wire.nesting import is_deeper_than
from logrouter.wire.truncated import Truncated

CONVERSATION = ("conversation_id", "correlation_id", "trace_id", "traceId", "traceparent")
"""Fields that hold a line's conversation, unless its input configures others. The first that is present counts."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A log record. `ts` is RFC 3339 in UTC; `pos` and `end` are byte offsets in the content of `source`.

    `message` is the line without its terminator. `raw` (base64) holds the exact bytes if `message` cannot restore them.
    `received` is set if `ts` differs from it by more than a day; such a record is filed by `received`. `nuls` is the
    number of NULs before the line, where a writer left a hole in the file.

    The garbage collector does not track records (gc=False), because plain data forms no reference cycle.
    """

    ts: str
    service: str
    host: str
    severity: str
    message: str
    source: str
    pos: int
    end: int
    received: str | None = None
    severity_from: str = "default"
    facility: str | None = None
    app: str | None = None
    pid: str | None = None
    msgid: str | None = None
    sd: dict[str, dict[str, str]] | None = None
    fields: dict[str, Any] | None = None
    conversation: str | None = None
    raw: str | None = None
    lines: list[int] | None = None
    nuls: int = 0


MAX_DEPTH = 32
"""The maximum nesting of objects and lists in `fields`: more than logs have, and few enough for every later step."""


MAX_RECORD = 12 << 20
"""The maximum number of bytes of a record as JSON. With the rest of its message it is below what every broker takes."""


class RecordHeader(msgspec.Struct, frozen=True, gc=False):
    """The fields of a record that the router needs from every line. Decoding only these still validates the JSON.

    The garbage collector does not track these (gc=False): they form no reference cycle, and there are very many.
    """

    pos: int
    end: int
    source: str = ""
    fields: msgspec.Raw = msgspec.Raw()


_encoder = msgspec.json.Encoder()
_records = msgspec.json.Decoder(Record)
_places = msgspec.json.Decoder(RecordHeader)
_fields_of = attrgetter("fields")


def rfc3339(seconds: float) -> str:
    """Return a Unix time in RFC 3339, in UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode_lines(records: Iterable[Record]) -> bytes:
    """Return records as NDJSON: one record per line, each with a newline at its end."""
    return _encoder.encode_lines(records)


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines of an NDJSON body, with their newlines. A carriage return does not end a line."""
    lines = [line + b"\n" for line in body.split(b"\n")]
    rest = lines.pop()[:-1]
    return [*lines, rest] if rest else lines


def decode_lines(body: bytes) -> list[Record]:
    """Return the records of an NDJSON body. Raises WireError if the body does not decode."""
    return _decode(_records, body)


def decode_positions(body: bytes) -> list[RecordHeader]:
    """Return the position of each record of an NDJSON body in its source.

    Raises WireError if the body does not decode, or if `fields` are nested deeper than MAX_DEPTH.
    """
    places: list[RecordHeader] = _decode(_places, body)
    if any(map(_fields_of, places)) and any(map(_is_too_deep, map(_fields_of, places))):
        raise WireError(f"the fields of a record are nested deeper than {MAX_DEPTH} levels")
    return places


def _is_too_deep(fields: msgspec.Raw) -> bool:
    content = bytes(fields)
    return content.count(b"{") + content.count(b"[") > MAX_DEPTH and is_deeper_than(content, MAX_DEPTH)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> list[Any]:
    try:
        return decoder.decode_lines(body)
    except RecursionError as error:
        raise WireError("the body is not NDJSON records: it is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the body is not NDJSON records: {error}") from error


def fitted(record: Record, limit: int = MAX_RECORD) -> Record:
    """Return the record, truncated if it is larger than `limit` bytes as JSON.

    A truncated record keeps the beginning of its message. `fields.cut` holds the length and hash of the whole line.
    """
    if len(_encoder.encode(record)) <= limit:
        return record
    mark = (record.fields or {}).get("cut") or Truncated.of(original(record)).as_field()
    kept = msgspec.structs.replace(record, raw=None, sd=None, lines=None, fields={"cut": mark})
    while (size := len(_encoder.encode(kept))) > limit:
        if not kept.message:  # then an overlong name from a sender takes the room
            return msgspec.structs.replace(kept, app=None, pid=None, msgid=None, conversation=None)
        kept = msgspec.structs.replace(kept, message=kept.message[: len(kept.message) * limit // size - 1])
    return kept


def original(record: Record) -> bytes:
    """Return the exact bytes of the line, with its terminator and without the NULs before it.

    The length `end - pos`, less the NULs, distinguishes LF, CRLF and no terminator. A line of a source that does not
    consist of lines (the journal, a socket) gets a newline.
    """
    if record.raw is not None:
        with contextlib.suppress(ValueError):  # a foreign `raw` that is not base64: fall back to the message
            return base64.b64decode(record.raw)
    text = record.message.encode()
    terminator = {0: b"", 2: b"\r\n"}.get(record.end - record.pos - record.nuls - len(text), b"\n")
    return text + terminator


def split_raw(line: bytes) -> tuple[str, str | None]:
    """Return `message` and `raw` for a line with its terminator. `original` is the inverse."""
    text = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
    try:
        return text.decode(), None
    except UnicodeDecodeError:
        return text.decode(errors="replace"), base64.b64encode(line).decode()
