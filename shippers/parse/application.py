"""What `logrouter.handler` puts into structured data -> fields and conversation. Pure.

Structured data that is not as the handler writes it stays what it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from logrouter.handler import ELEMENT

Data = dict[str, dict[str, str]] | None

_DEEPEST = 50
"""Levels of nesting: whoever reads the record later has to be able to."""

_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def from_application(data: Data) -> tuple[dict[str, Any] | None, str | None, Data]:
    """(fields, conversation, what else there is) of a message's structured data."""
    if not data or not (said := data.get(ELEMENT)) or not said.keys() <= {"fields", "conversation"}:
        return None, None, data
    fields = None
    if "fields" in said and (fields := _fields(said["fields"])) is None:
        return None, None, data
    rest = {name: values for name, values in data.items() if name != ELEMENT}
    return fields, said.get("conversation") or None, rest or None


def _fields(text: str) -> dict[str, Any] | None:
    """A JSON object that can be written again, and no deeper than is wise; else None."""
    try:
        fields = _decoder.decode(text)
        _encoder.encode(fields)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None
    level: list[Any] = [fields]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return fields
    return None


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
