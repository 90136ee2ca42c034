"""Lines of text -> the time of what each tells, RFC 3339 in UTC. Pure, save for the local time zone.

Known are ISO 8601 and RFC 3339 with their usual variants, syslog's `Nov 22 13:00:00` (the year is the one closest to
now), Apache's two forms, and the time fields of JSON loggers. A time without a zone is local. Any other line has the
time at which it was read.
"""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from logrouter.record import rfc3339

DAY = 86_400
"""Seconds from the reading time within which a record is filed by its line's own time."""

NEAR = 80
"""Characters from the beginning of a line within which a time counts."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "(?:" + "|".join(_MONTHS) + ")"

_TIME = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?( ?[+-]\d\d:?\d\d\b|Z\b)?"
    rf"|({_MONTH} [ \d]?\d \d\d:\d\d:\d\d)(?:\.(\d{{1,9}}))?( \d{{4}}\b)?"
    rf"|(\d\d/{_MONTH}/\d{{4}}:\d\d:\d\d:\d\d [+-]\d{{4}})",
    re.ASCII,
)
_DATE = len("2026-11-22 13")
"""Characters that a time has at most before its first `:`, which is much faster to find than the time."""

_EPOCH_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
"""A number below the first of each pair counts seconds by the second: s, ms, us and ns until the year 5138."""


class _Fields(msgspec.Struct):
    """Where JSON loggers put the time."""

    time: Any = None
    ts: Any = None
    timestamp: Any = None
    at_timestamp: Any = msgspec.field(name="@timestamp", default=None)


_fields = msgspec.json.Decoder(_Fields)

Moment = tuple[str, int]
"""RFC 3339 in UTC, and the same in milliseconds since 1970."""


def times(lines: Sequence[str], now: float, zone: tzinfo | None = None) -> list[Moment]:
    """The time of each line.

    now: when they were read, Unix time; it dates the lines without a time.   zone: of times that name none; None is
    the local one.
    """
    unknown = (rfc3339(now), int(now * 1000))
    day = int(now // DAY)
    return [(_from_json if line.startswith("{") else _from_text)(line, day, zone) or unknown for line in lines]


def _from_json(line: str, day: int, zone: tzinfo | None) -> Moment | None:
    try:
        return _from_fields(_fields.decode(line), day, zone)
    except (msgspec.DecodeError, RecursionError):
        return _from_text(line, day, zone)  # it only looks like JSON


def _from_text(text: str, day: int, zone: tzinfo | None) -> Moment | None:
    colon = text.find(":", 0, NEAR)
    while colon >= 0 and text[colon + 3 : colon + 4] != ":":
        colon = text.find(":", colon + 1, NEAR)
    if colon < 0:
        return None
    found = _TIME.search(text, colon - _DATE if colon > _DATE else 0, NEAR)
    if found is None:
        return None
    iso, fraction, offset, syslog, syslog_fraction, year, apache = found.groups()
    if iso:
        second = _iso(iso, offset, zone)
    elif syslog:
        second = _syslog(syslog, year, day, zone)
        fraction = syslog_fraction
    else:
        second = _apache(apache)
    if second is None or not fraction:
        return second and (second[0] + "Z", second[1])
    return f"{second[0]}.{fraction}Z", second[1] + int(fraction[:3].ljust(3, "0"))


def _second(read: Callable[..., datetime]) -> Callable[..., Moment | None]:
    """What `read` returns as UTC to the second, without the Z. Remembered: many lines share a second.

    None where it is no time that there is: a 13th month, a 61st minute.
    """

    @functools.lru_cache(maxsize=4096)
    def second(*text: Any) -> Moment | None:
        try:
            moment = read(*text).astimezone(UTC)
            return moment.replace(tzinfo=None).isoformat(), int(moment.timestamp()) * 1000
        except (ValueError, OverflowError):
            return None

    return second


@_second
def _iso(text: str, offset: str | None, zone: tzinfo | None) -> datetime:
    moment = datetime.fromisoformat(text.replace("/", "-") + (offset or "").strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


@_second
def _syslog(text: str, year: str | None, day: int, zone: tzinfo | None) -> datetime:
    month, date, clock = text.split()
    rest = f"{_MONTHS.index(month) + 1:02}-{date:0>2}T{clock}"
    now = day * DAY
    this_year = datetime.fromtimestamp(now, UTC).year
    years = [int(year)] if year else [this_year - 1, this_year, this_year + 1]
    there_are = [year for year in years if calendar.isleap(year) or not rest.startswith("02-29")]
    moments = [datetime.fromisoformat(f"{year:04}-{rest}").replace(tzinfo=zone) for year in there_are]
    return min(moments, key=lambda moment: abs(moment.timestamp() - now))


@_second
def _apache(text: str) -> datetime:
    date, clock = text.split(":", 1)
    day, month, year = date.split("/")
    return datetime.fromisoformat(f"{year}-{_MONTHS.index(month) + 1:02}-{day} {clock.replace(' ', '')}")


def _from_fields(fields: _Fields, day: int, zone: tzinfo | None) -> Moment | None:
    for value in (fields.time, fields.ts, fields.timestamp, fields.at_timestamp):
        if isinstance(value, str):
            moment = _from_text(value, day, zone)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = _from_number(value)
        else:
            continue
        if moment is not None:
            return moment
    return None


def _from_number(value: float) -> Moment | None:
    for limit, unit in _EPOCH_UNITS:
        if 0 < value < limit:
            seconds = value / unit
            return rfc3339(seconds), int(seconds * 1000)
    return None
