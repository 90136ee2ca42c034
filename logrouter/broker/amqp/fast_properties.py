"""A fast decoder for the message properties that logrouter usually writes.

It gives up on anything else: a rarer header type, text that is not UTF-8, a length that does not fit. The codec under
the AMQP library reads those. That codec copies the rest of the buffer for each value, which is most of the cost of a
small message with many keys.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

_Read = Callable[[bytes, int], tuple[Any, int]]
"""Takes bytes and the offset of a value. Returns the value and the offset of its end, which may exceed the bytes."""

_flags = struct.Struct(">H").unpack_from
_length = struct.Struct(">I").unpack_from

_MORE = 0b11
"""Flags that announce further flags or properties, which are unknown here."""

_TEXT, _ARRAY = b"SA"


def read_plain(encoded: bytes) -> dict[str, Any] | None:
    """Return the properties that are present, by name, or None to leave the decoding to the codec.

    encoded: property flags and properties as they were delivered. A timestamp is in seconds since 1970.
    """
    try:
        (flags,) = _flags(encoded)
        found, at = {}, 2
        for name, read in _present(flags):
            found[name], at = read(encoded, at)
    except (ValueError, IndexError, struct.error):
        return None
    return found if at == len(encoded) else None


def _of(layout: str) -> _Read:
    """Return a reader for values with a fixed `struct` layout."""
    size, unpack = struct.calcsize(layout), struct.Struct(layout).unpack_from
    return lambda data, at: (unpack(data, at)[0], at + size)


_NUMBERS = {
    ord(kind): _of(layout)
    for kind, layout in zip("tbBsuIilLd", (">?", ">b", ">B", ">h", ">H", ">i", ">I", ">q", ">q", ">d"), strict=True)
}
"""The readers for fixed-size header values, by AMQP type."""


def _short_text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(), end


def _long(data: bytes, at: int) -> tuple[bytes, int]:
    begin = at + 4
    end = begin + _length(data, at)[0]
    return data[begin:end], end


def _seconds(data: bytes, at: int) -> tuple[float, int]:
    high, low = struct.unpack_from(">II", data, at)
    if high:
        raise ValueError("later than 2106, or in milliseconds")
    return float(low), at + 8


def _table(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    at, end = at + 4, at + 4 + _length(data, at)[0]
    found: dict[str, Any] = {}
    while at < end:
        name, at = _short_text(data, at)
        kind = data[at]
        if kind == _TEXT:
            value, at = _long(data, at + 1)
            found[name] = value.decode()
        elif kind == _ARRAY:
            value, at = _long(data, at + 1)
            found[name] = list(_texts(value))
        elif read := _NUMBERS.get(kind):
            found[name], at = read(data, at + 1)
        else:
            raise ValueError(f"type {kind}")
    if at != end:
        raise ValueError("a value reaches out of its table")
    return found, end


@functools.lru_cache(maxsize=64)
def _texts(data: bytes) -> tuple[str, ...]:
    """Return the values of an array of strings. Cached, because all parts of a window carry the same array."""
    found, at = [], 0
    while at < len(data):
        if data[at] != _TEXT:
            raise ValueError(f"type {data[at]}")
        value, at = _long(data, at + 1)
        found.append(value.decode())
    if at != len(data):
        raise ValueError("a value reaches out of its array")
    return tuple(found)


_IN_ORDER: tuple[tuple[str, _Read], ...] = (
    ("content_type", _short_text),
    ("content_encoding", _short_text),
    ("headers", _table),
    ("delivery_mode", _of(">B")),
    ("priority", _of(">B")),
    ("correlation_id", _short_text),
    ("reply_to", _short_text),
    ("expiration", _short_text),
    ("message_id", _short_text),
    ("timestamp", _seconds),
    ("message_type", _short_text),
    ("user_id", _short_text),
    ("app_id", _short_text),
    ("cluster_id", _short_text),
)
"""The properties from the highest flag bit down."""


@functools.lru_cache(maxsize=64)
def _present(flags: int) -> tuple[tuple[str, _Read], ...]:
    """Return the properties that these flags announce."""
    if flags & _MORE:
        raise ValueError("unknown properties")
    return tuple(each for number, each in enumerate(_IN_ORDER) if flags & 1 << 15 - number)
