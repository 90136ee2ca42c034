"""Extract the fields of a line that is JSON or logfmt. Pure.

All fields are kept: `time`, `level` and `msg` too, although the record has their values elsewhere. A line that would
burden every reader of the record (more than 64 KiB, or JSON nested more than 32 levels deep) has no fields.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

MAX_FIELDS = 64
"""Fields of a line; the rest are left out."""
MAX_SIZE = 64 << 10
"""Characters of a line."""
MAX_DEPTH = 32

_json = msgspec.json.Decoder(dict[str, Any])
_LOGFMT = re.compile(r"[A-Za-z_@][\w.@/-]{0,127}=", re.ASCII)
_PAIR = re.compile(
    r'(?<!\S)([A-Za-z_@][\w.@/-]{0,127})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*)?)(?!\S)', re.ASCII | re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def fields(text: str) -> dict[str, Any] | None:
    """Return the fields of a line; None if it is neither JSON nor logfmt. The values of logfmt are strings."""
    if len(text) > MAX_SIZE:
        return None
    if text.startswith("{"):
        return _from_json(text)
    if _LOGFMT.match(text) is None:
        return None
    found = {pair[1]: _plain(pair) for pair in islice(_PAIR.finditer(text), MAX_FIELDS)}
    return found or None


def _from_json(text: str) -> dict[str, Any] | None:
    try:
        found = _json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None  # the line only looks like JSON
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(found, MAX_DEPTH):
        return None
    return (dict(islice(found.items(), MAX_FIELDS)) if len(found) > MAX_FIELDS else found) or None


def _is_deeper(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return not limit or any(
        _is_deeper(child, limit - 1) for child in (value.values() if isinstance(value, dict) else value)
    )


def _plain(pair: re.Match[str]) -> str:
    if pair[2] is None:
        return pair[3] or ""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), pair[2]) if "\\" in pair[2] else pair[2]
