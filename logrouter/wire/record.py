"""One log line as it travels and rests: the record, its NDJSON form, and the way back to the original bytes.

The shape is fixed by docs/wire-format.md: a later version may add fields, never change what one means, and a reader
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
"""Names of fields whose value is a line's conversation unless an input says otherwise: the first that is there."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A record. `ts` is RFC 3339 in UTC; `pos` and `end` are byte offsets in the content of `source`.

    `message` is the line without its terminator. `raw` (base64) holds the exact bytes wherever `message` cannot
    rebuild them. `received` is there when `ts` is over a day from it: such a record is filed by `received`.
    `nuls`: so many NULs stood in front of it, where a writer left a hole.

    Its values are plain data in no reference cycle, so the garbage collector need not look at it.
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
"""Objects and lists within each other in `fields`: more than any log has, less than any later step bears."""


MAX_RECORD = 12 << 20
"""Bytes of a record as JSON: with what it travels in it stays below what every broker takes."""


class RecordHeader(msgspec.Struct, frozen=True, gc=False):
    """The part of a record that the router needs of every line: a decode of this alone checks the JSON as well.

    It can be in no reference cycle, and is made so often that the garbage collector need not look at it.
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
    """A Unix time in RFC 3339, UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode_lines(records: Iterable[Record]) -> bytes:
    """NDJSON: one record a line, each ended by a newline."""
    return _encoder.encode_lines(records)


def split_lines(body: bytes) -> list[bytes]:
    """The lines of an NDJSON body, newline included. Only a newline ends one: JSON may hold a carriage return."""
    lines = [line + b"\n" for line in body.split(b"\n")]
    rest = lines.pop()[:-1]
    return [*lines, rest] if rest else lines


def decode_lines(body: bytes) -> list[Record]:
    """The records of an NDJSON body. Raises WireError naming what does not decode."""
    return _decode(_records, body)


def decode_places(body: bytes) -> list[RecordHeader]:
    """Where each record of an NDJSON body stood in its source.

    Raises WireError as `decode_lines` does, and for fields that are nested deeper than MAX_DEPTH.
    """
    places: list[RecordHeader] = _decode(_places, body)
    if any(map(_fields_of, places)) and any(map(_is_too_deep, map(_fields_of, places))):
        raise WireError(f"the fields of a record are nested deeper than {MAX_DEPTH}")
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
    """The record; where it is larger than `limit` bytes as JSON, the beginning of its message with `fields.cut`."""
    if len(_encoder.encode(record)) <= limit:
        return record
    mark = (record.fields or {}).get("cut") or Truncated.of(original(record)).as_field()
    kept = msgspec.structs.replace(record, raw=None, sd=None, lines=None, fields={"cut": mark})
    while (size := len(_encoder.encode(kept))) > limit:
        if not kept.message:  # then it is a name that a sender has made up
            return msgspec.structs.replace(kept, app=None, pid=None, msgid=None, conversation=None)
        kept = msgspec.structs.replace(kept, message=kept.message[: len(kept.message) * limit // size - 1])
    return kept


def original(record: Record) -> bytes:
    """The exact bytes of the line, terminator included, without the NULs in front of it.

    The span `end - pos`, less these, tells LF, CRLF and no terminator apart; a source that is not made of lines (the
    journal, a socket) gets a newline.
    """
    if record.raw is not None:
        with contextlib.suppress(ValueError):  # somebody's `raw` that is not base64: the message says what there is
            return base64.b64decode(record.raw)
    text = record.message.encode()
    terminator = {0: b"", 2: b"\r\n"}.get(record.end - record.pos - record.nuls - len(text), b"\n")
    return text + terminator


def message_and_raw(line: bytes) -> tuple[str, str | None]:
    """`message` and `raw` of a line, terminator included: the way there, of which `original` is the way back."""
    text = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
    try:
        return text.decode(), None
    except UnicodeDecodeError:
        return text.decode(errors="replace"), base64.b64encode(line).decode()
