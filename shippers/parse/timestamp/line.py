"""Find the time that each line states, as RFC 3339 in UTC. Pure, except for the local time zone.

The formats are those of `clock`, and the time fields of JSON loggers, as text or as a number. A time without a zone is
local. A line without a time gets the time at which it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from logrouter.wire.record import rfc3339
from shippers.parse.timestamp.calendar import DAY, Moment
from shippers.parse.timestamp.clock import time_of_text

_EPOCH_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
"""(limit, units per second): a number below the limit has this unit. Valid for s, ms, us and ns until the year 5138."""


class _TimeFields(msgspec.Struct):
    """The fields in which JSON loggers put the time."""

    time: Any = None
    ts: Any = None
    timestamp: Any = None
    at_timestamp: Any = msgspec.field(name="@timestamp", default=None)
    datetime: Any = None
    serilog: Any = msgspec.field(name="@t", default=None)
    capital: Any = msgspec.field(name="Timestamp", default=None)
    t: Any = None
    journald: Any = msgspec.field(name="__REALTIME_TIMESTAMP", default=None)


_fields = msgspec.json.Decoder(_TimeFields)


def times(lines: Sequence[str], now: float, zone: tzinfo | None = None) -> list[Moment]:
    """Return the time of each line.

    now: Unix time at which the lines were read, which is the time of a line that states none.   zone: of times that
    name none; None is the local one.
    """
    unknown = (rfc3339(now), int(now * 1000))
    day = int(now // DAY)
    return [time(line, day, zone) or unknown for line in lines]


def time(line: str, day: int, zone: tzinfo | None) -> Moment | None:
    """Return the time of a line; None if it states none.

    day: of reading, in days since 1970.   zone: of a time that names none; None is the local one.
    """
    return (_from_json if line.startswith("{") else time_of_text)(line, day, zone)


def _from_json(line: str, day: int, zone: tzinfo | None) -> Moment | None:
    try:
        fields = _fields.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return time_of_text(line, day, zone)  # the line only looks like JSON
    mongodb = fields.t.get("$date") if isinstance(fields.t, dict) else None
    for value in (
        *(fields.time, fields.ts, fields.timestamp, fields.at_timestamp, fields.datetime),
        *(fields.serilog, fields.capital, mongodb, fields.journald),
    ):
        moment = None if value is None else _from_value(value, day, zone)
        if moment is not None:
            return moment
    return None


def _from_value(value: Any, day: int, zone: tzinfo | None) -> Moment | None:
    """Return the time of a field, given as text or as a number; None if it is neither."""
    if isinstance(value, str):
        moment = time_of_text(value, day, zone)
        return moment if moment or not (value.isdecimal() and 10 <= len(value) < 20) else _from_number(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    return None


def _from_number(value: float) -> Moment | None:
    for limit, unit in _EPOCH_UNITS:
        if 0 < value < limit:
            seconds = value / unit
            return rfc3339(seconds), int(seconds * 1000)
    return None
