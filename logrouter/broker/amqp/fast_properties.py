"""Properties of messages like ours, read in one pass.

In come flags and properties as they were delivered, out go the values by the names of the properties, or None for what
is not plain: a type of header that we never write, text that is not UTF-8, a length that does not fit. That is for the
codec under the AMQP library to read, which copies all that follows for each value it reads: of a small message with
many keys that would be most of the cost.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

_Read = Callable[[bytes, int], tuple[Any, int]]
"""Bytes and where a value begins in them -> the value and where it ends, perhaps behind the bytes."""

_flags = struct.Struct(">H").unpack_from
_length = struct.Struct(">I").unpack_from

_MORE = 0b11
"""Flags behind which stands something that we know nothing of."""

_TEXT, _ARRAY = b"SA"


def read_plain(encoded: bytes) -> dict[str, Any] | None:
    """The properties that are there; a timestamp in seconds since 1970."""
    try:
        (flags,) = _flags(encoded)
        found, at = {}, 2
        for name, read in _present(flags):
            found[name], at = read(encoded, at)
    except (ValueError, IndexError, struct.error):
        return None
    return found if at == len(encoded) else None


def _of(layout: str) -> _Read:
    """A reader of values of one size."""
    size, unpack = struct.calcsize(layout), struct.Struct(layout).unpack_from
    return lambda data, at: (unpack(data, at)[0], at + size)


_NUMBERS = {
    ord(kind): _of(layout)
    for kind, layout in zip("tbBsuIilLd", (">?", ">b", ">B", ">h", ">H", ">i", ">I", ">q", ">q", ">d"), strict=True)
}
"""Headers by their type."""


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
    """The values of an array of strings. The parts of a window come with the same one."""
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
"""Of each the flag is half that of the one before."""


@functools.lru_cache(maxsize=64)
def _present(flags: int) -> tuple[tuple[str, _Read], ...]:
    """The properties behind these flags."""
    if flags & _MORE:
        raise ValueError("unknown properties")
    return tuple(each for number, each in enumerate(_IN_ORDER) if flags & 1 << 15 - number)
