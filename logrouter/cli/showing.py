"""Records for people: one line each, in columns, coloured by severity on a terminal. And for programs: JSON.

In comes a record, out goes a line of text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from logrouter.printable import printable
from logrouter.record import Record, encode_lines

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
    return encode_lines([record]).decode().rstrip("\n")


def in_columns(record: Record) -> str:
    """Local time, severity, service and host in columns, then the message."""
    head = f"{_local(record.ts):<14} {record.severity:<7} {f'{record.service}@{record.host}':<24} "
    style = _STYLES.get(record.severity, {})
    return click.style(head, dim=True) + click.style(printable(record.message), **style)  # type: ignore[arg-type]  # names of colours


def _local(time: str) -> str:
    """A record's time here and now; one that is none, or out of reach, as far as there is room."""
    try:
        return f"{datetime.fromisoformat(time).astimezone():%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return printable(time[:14])


def printer(*, as_objects: bool) -> Show:
    """How records are to be shown."""
    return as_json if as_objects else in_columns
