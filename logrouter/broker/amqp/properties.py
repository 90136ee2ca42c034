"""Conversion between a Message and AMQP properties.

Reading accepts whatever a foreign publisher put into a message. Writing checks the properties before anything is sent,
because a frame that the broker rejects ends the connection and, when it is sent again, the next one.

The codec under the AMQP library (pamqp) fails on input that RabbitMQ accepts: a key or property that is not UTF-8, a
time beyond the year 9999, tables that are nested too deep. Each failure ends the connection, and the next connection
receives the same message. So this module replaces three of pamqp's decoders, in the whole process, with tolerant ones.
"""

from __future__ import annotations

import contextlib
import functools
import re
import struct
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pamqp import decode, encode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from logrouter.broker.amqp.fast_properties import read_plain
from logrouter.broker.limits import check_key
from logrouter.errors import PublishRefused
from logrouter.wire.message import Message

UNREADABLE = "x-logrouter-unreadable"
"""The header that stands in for a table that cannot be read. It holds the table's bytes, or the reason."""

MAX_SHORT = 255
"""The maximum number of bytes in the value of a property."""

_DEEPEST = 32
"""The levels of nested tables that are read. Deeper ones would make other code fail."""

_PROPERTIES_ROOM = 4096
"""Bytes that are enough for all properties other than the headers."""

_LATEST = 0xFFFFFFFF
"""Seconds since 1970. The codec reads a larger number as milliseconds."""

_FOR_THE_BROKER = frozenset(
    {"CC", "BCC", "x-death", "x-delivery-count"}
    | {"x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"}
)
"""Headers that the broker acts on. They are not sent: CC in a copy would route it to any queue that the message's first
publisher chose, even to ours."""

_PERSISTENT = 2

_REMEMBERED = 64
"""Properties of at most this many bytes are cached. Longer ones contain ids or times, so they do not repeat."""

_NO_BODY = bytes(12)
"""The fields before the properties in a header frame: class, weight and size of the body."""

_MARK = re.compile(r"\Alogrouter~[0-9a-f]+-[0-9]+~")


class EncodedProperties(Basic.Properties):
    """Properties whose headers and timestamp are already encoded, because the codec cannot write 64-bit floats."""

    headers: Any
    timestamp: Any

    def encode_property(self, name: str, value: Any) -> bytes:
        return value if isinstance(value, bytes) else super().encode_property(name, value)


def read_message(key: str, encoded: bytes, body: bytes) -> Message:
    """Return the message that was delivered under `key`. `encoded` holds its property flags and properties."""
    return Message(
        key, body, *(_read_properties_cached(encoded) if len(encoded) <= _REMEMBERED else _read_properties(encoded))
    )


def _read_properties(encoded: bytes) -> tuple[str, str, str, str, str, str, float | None, str, Mapping[str, Any]]:
    """Return the fields of a Message that follow its body, in order."""
    found = read_plain(encoded) or read_any(encoded)
    return (
        found.get("message_type", ""),
        found.get("content_type", ""),
        found.get("content_encoding", ""),
        _MARK.sub("", found.get("message_id", "")),
        found.get("correlation_id", ""),
        found.get("app_id", ""),
        found.get("timestamp"),
        found.get("user_id", ""),
        found.get("headers", {}),
    )


def read_any(encoded: bytes) -> dict[str, Any]:
    """Return the properties by name, without empty ones. Unlike `read_plain`, this accepts any properties."""
    header = ContentHeader()
    header.unmarshal(_NO_BODY + encoded)
    found: dict[str, Any] = {name: value for name, value in header.properties if value not in (None, "")}
    if "headers" in found:
        found["headers"] = _read_headers(found["headers"])
    if "timestamp" in found:
        stamp = found["timestamp"]
        found["timestamp"] = stamp.timestamp() if isinstance(stamp, datetime) else None
    return found


_read_properties_cached = functools.lru_cache(maxsize=256)(_read_properties)
"""Cached, because a publisher of single lines gives most of them the same few properties."""


def write_properties(message: Message, message_id: str, frame_max: int, user: str = "") -> EncodedProperties:
    """Return the properties to publish `message` with.

    user: the user name of this connection, which the broker verifies; '' to send none. A property of more than 255
    bytes is truncated. A timestamp is sent in whole seconds, and only if it is between 1970 and 2106. Raises
    PublishRefused if a header has no AMQP type, or if the headers do not fit into a frame of `frame_max` bytes.
    """
    check_key(message.key)
    try:
        headers = _table({name: value for name, value in message.headers.items() if name not in _FOR_THE_BROKER})
    except (TypeError, ValueError, OverflowError, RecursionError, struct.error) as error:
        raise PublishRefused(f"cannot send a header: {error}") from error
    if len(headers) > frame_max - _PROPERTIES_ROOM:
        raise PublishRefused(
            f"the headers have {len(headers)} bytes, but the broker takes frames of at most {frame_max} bytes"
        )
    properties = EncodedProperties(
        content_type=_short(message.content_type),
        content_encoding=_short(message.content_encoding),
        delivery_mode=_PERSISTENT,
        correlation_id=_short(message.correlation_id),
        message_id=_short(message_id),
        message_type=_short(message.type),
        app_id=_short(message.app_id),
        user_id=user,
    )
    properties.headers = headers
    if message.timestamp is not None and 0 <= message.timestamp <= _LATEST:
        properties.timestamp = struct.pack(">Q", int(message.timestamp))
    return properties


def marked(message_id: str, unique: str) -> str:
    """Return a message id that is unique on a channel. `read_message` removes the mark.

    The library uses the id to recognise a returned message. If a message has none, the library makes one up. If two
    unconfirmed messages share an id (copies for two queues), it can take a returned one for confirmed.
    """
    return f"logrouter~{unique}~{message_id}"


def _read_headers(table: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: _plain(value, 1) for name, value in table.items()}
    except RecursionError as error:
        return {UNREADABLE: str(error)}


def _plain(value: Any, depth: int) -> Any:
    """Return a header's value with bytes in place of the codec's bytearrays. Raises RecursionError beyond _DEEPEST."""
    if isinstance(value, bytearray):
        return bytes(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth > _DEEPEST:
        raise RecursionError(f"tables are nested deeper than {_DEEPEST} levels")
    if isinstance(value, dict):
        return {name: _plain(each, depth + 1) for name, each in value.items()}
    return [_plain(each, depth + 1) for each in value]


def _short(text: str) -> str:
    return text.encode(errors="backslashreplace")[:MAX_SHORT].decode(errors="ignore")


def _table(table: Mapping[str, Any]) -> bytes:
    return _long(b"".join(encode.short_string(name) + _value(value) for name, value in table.items()))


def _value(value: Any) -> bytes:
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value)
    if isinstance(value, (bytes, bytearray)):
        return b"x" + _long(value)
    if isinstance(value, Mapping):
        return b"F" + _table(value)
    if isinstance(value, (list, tuple)):
        return _texts(tuple(value)) if set(map(type, value)) == {str} else _array(value)
    if isinstance(value, Decimal | None | bool | int | str | datetime):
        return encode.encode_table_value(value)
    raise TypeError(f"AMQP has no type for {type(value).__name__}")


def _array(values: Iterable[Any]) -> bytes:
    return b"A" + _long(b"".join(map(_value, values)))


_texts = functools.lru_cache(maxsize=64)(_array)
"""For arrays of strings. Cached, because all parts of a window carry the same keys."""


def _long(data: bytes | bytearray) -> bytes:
    return struct.pack(">I", len(data)) + data


def _decode_short_string(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="backslashreplace")


def _decode_timestamp(value: bytes) -> tuple[int, Any]:
    """Decode a date, or return the number itself if it is not a valid date."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return decode.timestamp(value)
    return 8, struct.unpack_from(">Q", value)[0]


def _decode_table(value: bytes) -> tuple[int, Any]:
    """Decode a table, or return its bytes under UNREADABLE. The length prefix shows where the next value begins."""
    with contextlib.suppress(ValueError, OverflowError, OSError, RecursionError):
        return decode.field_table(value)
    length = struct.unpack_from(">I", value)[0]
    return length + 4, {UNREADABLE: bytes(value[4 : length + 4])}


decode.METHODS.update(shortstr=_decode_short_string, timestamp=_decode_timestamp, table=_decode_table)
decode.TABLE_MAPPING[b"T"] = _decode_timestamp
