"""Formats records: in columns for people, coloured by severity on a terminal, or as JSON for programs.

The text is escaped, so that nothing in a record can control a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from logrouter.cli.output import styled
from logrouter.support.terminal import printable, printable_json
from logrouter.wire.record import Record, encode_lines, original

_STYLES: dict[str, dict[str, object]] = {
    "emerg": {"fg": "white", "bg": "red", "bold": True},
    "alert": {"fg": "white", "bg": "red", "bold": True},
    "crit": {"fg": "red", "bold": True},
    "error": {"fg": "red"},
    "warning": {"fg": "yellow"},
    "notice": {"fg": "cyan"},
    "info": {},
    "debug": {"dim": True},
}
Show = Callable[[Record], str]


def as_json(record: Record) -> str:
    """Return the record as JSON, in its wire format."""
    return printable_json(encode_lines([record]).decode().rstrip("\n"))


def as_text(record: Record) -> str:
    """Return the original line, escaped except for tabs and newlines: a record of several lines stays several lines."""
    return printable(original(record).decode(errors="backslashreplace").replace("\r\n", "\n"), newlines=True)


def as_columns(record: Record) -> str:
    """Return local time, severity, service and host in columns, followed by the message."""
    name = printable(f"{record.service}@{record.host}")
    head = f"{_local(record.ts):<14} {printable(record.severity):<7} {name:<24} "
    return styled(head, dim=True) + styled(record.message, **_STYLES.get(record.severity, {}))


def _local(time: str) -> str:
    """Return the time in the local zone; the beginning of the text if it is no time or out of range."""
    try:
        return f"{datetime.fromisoformat(time).astimezone():%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return printable(time[:14])


def printer(*, as_objects: bool) -> Show:
    """Return the format: JSON if `as_objects`, else columns."""
    return as_json if as_objects else as_columns
