"""Plain records: what a window comes to where reading its lines more closely fails.

Each line is a record with the default severity and the time it was read. What an input redacts is redacted; where that
fails as well, the text is withheld.
"""

from __future__ import annotations

from collections.abc import Iterator

from logrouter.observability.events import WINDOW_UNREAD
from logrouter.wire.batch import Part, whole
from logrouter.wire.record import Record, fitted, message_and_raw, rfc3339, split_lines
from logrouter.wire.routing_key import SEVERITIES
from shippers.encode.lines import Window
from shippers.encode.windows import all_parts
from shippers.input import Input

_WITHHELD = "[withheld: it could not be redacted]"
_UNKNOWN = "unknown"


def safe_parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """The parts of a window as `windows.parts` makes them; plain ones where that raises."""
    try:
        return all_parts(window, settings, now)
    except Exception as error:  # noqa: BLE001  # whatever lines come to, they are shipped
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
        return message_and_raw(line)
    text = line.decode(errors="replace").rstrip("\r\n")
    try:
        return redaction.texts([text]).get(0, text), None
    except Exception:  # noqa: BLE001  # better a line without its text than one with what it must not tell
        return _WITHHELD, None


def _name(name: str) -> str:
    """A name that can be sent: a configuration may hold a lone surrogate of a path."""
    return name.encode(errors="replace").decode() or _UNKNOWN
