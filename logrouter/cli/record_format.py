"""Records for people: one line each, in columns, coloured by severity on a terminal. And for programs: JSON.

In comes a record, out goes a line of text, in which nothing that the record says does anything to a terminal.
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
    """The record as it travels."""
    return printable_json(encode_lines([record]).decode().rstrip("\n"))


def as_written(record: Record) -> str:
    """The line as somebody may look at it: of several lines if the record is, with its tabs."""
    return printable(original(record).decode(errors="backslashreplace").replace("\r\n", "\n"), newlines=True)


def in_columns(record: Record) -> str:
    """Local time, severity, service and host in columns, then the message."""
    name = printable(f"{record.service}@{record.host}")
    head = f"{_local(record.ts):<14} {printable(record.severity):<7} {name:<24} "
    return styled(head, dim=True) + styled(record.message, **_STYLES.get(record.severity, {}))


def _local(time: str) -> str:
    """A record's time here and now; one that is none, or out of reach, as far as there is room."""
    try:
        return f"{datetime.fromisoformat(time).astimezone():%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return printable(time[:14])


def printer(*, as_objects: bool) -> Show:
    """How records are to be shown."""
    return as_json if as_objects else in_columns
