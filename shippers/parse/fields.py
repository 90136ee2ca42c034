"""A line that is JSON or logfmt -> its fields. Pure.

Nothing is taken out of them: `time`, `level` and `msg` stay beside what the record makes of them. What would burden all
who read the record (a line of more than 64 KiB, JSON nested deeper than 32) has none.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

MAX_FIELDS = 64
"""Those behind are left out."""
MAX_SIZE = 64 << 10
"""Characters of a line."""
MAX_DEPTH = 32

_json = msgspec.json.Decoder(dict[str, Any])
_LOGFMT = re.compile(r"[A-Za-z_@][\w.@/-]{0,127}=", re.ASCII)
_PAIR = re.compile(
    r'(?<!\S)([A-Za-z_@][\w.@/-]{0,127})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*)?)(?!\S)', re.ASCII | re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r"}


def fields(text: str) -> dict[str, Any] | None:
    """The fields of a line; None of one that is neither JSON nor logfmt. The values of logfmt are texts."""
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
        return None  # it only looks like JSON
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(found, MAX_DEPTH):
        return None
    return (dict(islice(found.items(), MAX_FIELDS)) if len(found) > MAX_FIELDS else found) or None


def _is_deeper(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return not limit or any(
        _is_deeper(each, limit - 1) for each in (value.values() if isinstance(value, dict) else value)
    )


def _plain(pair: re.Match[str]) -> str:
    if pair[2] is None:
        return pair[3] or ""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), pair[2]) if "\\" in pair[2] else pair[2]
