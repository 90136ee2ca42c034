"""Restore the fields and the conversation that `logrouter.handler` puts into structured data. Pure.

Structured data that does not have the form that the handler writes is left as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from logrouter.handler import ELEMENT

Data = dict[str, dict[str, str]] | None

_DEEPEST = 50
"""Levels of nesting: every reader of the record must be able to decode it."""

_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def from_application(data: Data) -> tuple[dict[str, Any] | None, str | None, Data]:
    """Return the fields, the conversation and the remaining structured data of a message; None for what is absent."""
    if not data or not (element := data.get(ELEMENT)) or not element.keys() <= {"fields", "conversation"}:
        return None, None, data
    fields = None
    if "fields" in element and (fields := _fields(element["fields"])) is None:
        return None, None, data
    rest = {name: values for name, values in data.items() if name != ELEMENT}
    return fields, element.get("conversation") or None, rest or None


def _fields(text: str) -> dict[str, Any] | None:
    """Return the JSON object in `text`; None if it cannot be encoded again or is nested too deeply."""
    try:
        fields = _decoder.decode(text)
        _encoder.encode(fields)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None
    level: list[Any] = [fields]
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _children(value)]
        if not level:
            return fields
    return None


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
