"""Encodes a window even if looking into its lines fails: its lines then become plain records.

Each line is then a record with the severity of its input and the time when it was read. Its text is redacted as usual;
if that fails too, the text is withheld.
"""

from __future__ import annotations

from collections.abc import Iterator

from logrouter.observability.events import WINDOW_UNREAD
from logrouter.wire.batch import Part, whole
from logrouter.wire.record import Record, fitted, rfc3339, split_lines, split_raw
from logrouter.wire.routing_key import SEVERITIES
from shippers.encode.lines import Window
from shippers.encode.windows import all_parts
from shippers.input import Input

_WITHHELD = "[withheld: it could not be redacted]"
_UNKNOWN = "unknown"


def safe_parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """Return the parts of a window, as `windows.all_parts` does, or one of plain records if that raises."""
    try:
        return all_parts(window, settings, now)
    except Exception as error:  # noqa: BLE001  # lines are shipped, whatever their content does to the parsers
        reason = f"{type(error).__name__}: {error}"
        WINDOW_UNREAD.happened(input=settings.name, source=window.source, position=window.from_, reason=reason)
        return (_plain_part(window, settings, now),)


def _plain_part(window: Window, settings: Input, now: float) -> Part:
    records = list(_records(window, settings, rfc3339(now)))
    return whole(records, start=window.start, from_=window.from_, to=window.to, filed=int(now * 1000))


def _records(window: Window, settings: Input, ts: str) -> Iterator[Record]:
    severity = settings.severity if settings.severity in SEVERITIES else "info"
    service, host = _name(settings.service), _name(settings.host)
    pos = window.from_
    lines = [window.data] if window.cut else split_lines(window.data)
    for number, line in enumerate(lines, start=1):
        message, raw = _text(line, settings)
        end = window.to if number == len(lines) else pos + len(line)
        fields = {"cut": {"length": window.cut.length}} if window.cut else None
        record = Record(ts, service, host, severity, message, window.source, pos, end, raw=raw, fields=fields)
        yield fitted(record)
        pos = end


def _text(line: bytes, settings: Input) -> tuple[str, str | None]:
    redaction = settings.refining.redaction
    if redaction is None:
        return split_raw(line)
    text = line.decode(errors="replace").rstrip("\r\n")
    try:
        return redaction.texts([text]).get(0, text), None
    except Exception:  # noqa: BLE001  # a line without its text is better than one with a secret
        return _WITHHELD, None


def _name(name: str) -> str:
    """Return a name that can be encoded as UTF-8: a configuration may hold a lone surrogate from a path."""
    return name.encode(errors="replace").decode() or _UNKNOWN
