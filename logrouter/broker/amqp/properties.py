"""A Message as AMQP properties and back, whatever a foreign publisher put into it.

In come messages as the AMQP library delivers them, out go Messages, never an error; and in the other direction the
properties to publish, checked before a byte is sent: a frame that the broker does not take would end the connection
and, sent again, the next one.

The codec under the AMQP library (pamqp) gives up on what RabbitMQ lets through: a key or property that is not UTF-8,
a time beyond the year 9999, a table nested too deep. Each of them ends the whole connection, and the message comes
again on the next. So three of its decoders are replaced here, for the process, by ones that go on.
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
"""The header that holds a table of headers which cannot be read: its bytes, or what is wrong with it."""

MAX_SHORT = 255
"""Bytes in the value of a property."""

_DEEPEST = 32
"""Tables within tables that are still read: beyond it other code would fail on them."""

_PROPERTIES_ROOM = 4096
"""Bytes that all properties but the headers fit into."""

_LATEST = 0xFFFFFFFF
"""Seconds since 1970; the codec takes a larger number for milliseconds."""

_FOR_THE_BROKER = frozenset(
    {"CC", "BCC", "x-death", "x-delivery-count"}
    | {"x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"}
)
"""Headers that the broker acts on. CC in a copy would send it to queues of its first publisher's choice, ours too."""

_PERSISTENT = 2

_REMEMBERED = 64
"""Bytes of properties that may be met again: longer ones hold ids or times."""

_NO_BODY = bytes(12)
"""What stands before the properties in a header: class, weight and the body's size."""

_MARK = re.compile(r"\Alogrouter~[0-9a-f]+-[0-9]+~")


class EncodedProperties(Basic.Properties):
    """Properties whose headers and timestamp are encoded already (the codec has no 64-bit floats)."""

    headers: Any
    timestamp: Any

    def encode_property(self, name: str, value: Any) -> bytes:
        """The bytes of one property."""
        return value if isinstance(value, bytes) else super().encode_property(name, value)


def read_message(key: str, encoded: bytes, body: bytes) -> Message:
    """The message that was delivered under `key`; `encoded`: flags and properties as they came."""
    return Message(key, body, *(_same_again(encoded) if len(encoded) <= _REMEMBERED else _read_properties(encoded)))


def _read_properties(encoded: bytes) -> tuple[str, str, str, str, str, str, float | None, str, Mapping[str, Any]]:
    """The fields of a Message behind its body, in their order."""
    found = read_plain(encoded) or read_odd(encoded)
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


def read_odd(encoded: bytes) -> dict[str, Any]:
    """What `read_plain` says, of all that can come, without the empty strings."""
    header = ContentHeader()
    header.unmarshal(_NO_BODY + encoded)
    found: dict[str, Any] = {name: value for name, value in header.properties if value not in (None, "")}
    if "headers" in found:
        found["headers"] = _read_headers(found["headers"])
    if "timestamp" in found:
        stamp = found["timestamp"]
        found["timestamp"] = stamp.timestamp() if isinstance(stamp, datetime) else None
    return found


_same_again = functools.lru_cache(maxsize=256)(_read_properties)
"""A publisher of single lines gives most of them the same few properties."""


def write_properties(message: Message, message_id: str, frame_max: int, user: str = "") -> EncodedProperties:
    """The properties to publish `message` with. Raises PublishRefused where AMQP has no room or type for it.

    user: the name that this connection is known by, which the broker vouches for; '' for none.
    A property over 255 bytes is cut. A timestamp is kept in whole seconds, and only between 1970 and 2106.
    """
    check_key(message.key)
    try:
        headers = _table({name: value for name, value in message.headers.items() if name not in _FOR_THE_BROKER})
    except (TypeError, ValueError, OverflowError, RecursionError, struct.error) as error:
        raise PublishRefused(f"a header cannot be sent: {error}") from error
    if len(headers) > frame_max - _PROPERTIES_ROOM:
        raise PublishRefused(f"the headers have {len(headers)} bytes; the broker takes frames of {frame_max}")
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
    """A message id that is unique on a channel; `read_message` takes the mark off.

    The library tells by its id which message was returned: without one it would invent one, and of two messages with
    the same id on their way at once (copies for two queues) it would take one that was returned for confirmed.
    """
    return f"logrouter~{unique}~{message_id}"


def _read_headers(table: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: _plain(value, 1) for name, value in table.items()}
    except RecursionError as error:
        return {UNREADABLE: str(error)}


def _plain(value: Any, depth: int) -> Any:
    """A header's value with bytes for the codec's byte arrays."""
    if isinstance(value, bytearray):
        return bytes(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth > _DEEPEST:
        raise RecursionError(f"tables nested deeper than {_DEEPEST}")
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
"""Of strings alone. The parts of a window go out with the same keys."""


def _long(data: bytes | bytearray) -> bytes:
    return struct.pack(">I", len(data)) + data


def _decode_short_string(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="backslashreplace")


def _decode_timestamp(value: bytes) -> tuple[int, Any]:
    """A date, or the number itself where no date can be made of it."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return decode.timestamp(value)
    return 8, struct.unpack_from(">Q", value)[0]


def _decode_table(value: bytes) -> tuple[int, Any]:
    """A table, or its bytes under UNREADABLE. Its length stands in front, so whatever comes after it is found."""
    with contextlib.suppress(ValueError, OverflowError, OSError, RecursionError):
        return decode.field_table(value)
    length = struct.unpack_from(">I", value)[0]
    return length + 4, {UNREADABLE: bytes(value[4 : length + 4])}


decode.METHODS.update(shortstr=_decode_short_string, timestamp=_decode_timestamp, table=_decode_table)
decode.TABLE_MAPPING[b"T"] = _decode_timestamp
