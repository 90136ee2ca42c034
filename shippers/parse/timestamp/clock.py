"""Find a time near the beginning of a text, in any format that programs write. Pure, except for the local time zone.

The result is RFC 3339 in UTC, and the same in milliseconds. A time without a year is in the closest year, and a time
without a zone is in the given zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from shippers.parse.timestamp.calendar import MONTH, MONTH_NUMBERS, Moment, in_closest_year, to_second, with_fraction

NEAR = 80
"""Characters from the beginning of a line within which a time counts."""

_FRACTION = r"(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = r"(?P<zone>Z\b| ?(?:[+-]\d\d(?::?\d\d\b|(?= ))|UTC\b|GMT\b))?"

_ISO = re.compile(rf"(\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d){_FRACTION}{_ZONE}", re.ASCII)
_SYSLOG = re.compile(
    rf"({MONTH} [ \d]?\d \d\d:\d\d:\d\d)(?:[.:](\d{{1,9}}))?"
    r"( (?:(?:UTC|GMT)\b ?)?(?:\d{4}\b)?)?",
    re.ASCII,
)
"""Also asctime, as Apache writes it, with the year at the end."""

_MONTH_FIRST = re.compile(
    rf"(?P<month>{MONTH}) (?P<day>[ \d]?\d) (?P<year>\d{{4}}) (?P<clock>\d\d:\d\d:\d\d){_FRACTION}{_ZONE}", re.ASCII
)
"""Cisco's syslog."""

_DAY_FIRST = re.compile(
    rf"(?<!\d)(\d\d(?P<gap>[ /-]){MONTH}(?:(?P=gap)\d{{4}})?[ :]\d\d:\d\d:\d\d){_FRACTION}{_ZONE}",
    re.ASCII,
)
"""Access logs, HAProxy, Redis, BIND, Tomcat, PHP."""

_DIGITS = re.compile(
    r"(?<![\w.:-])(?:[DIWEF](?P<klog>\d{4}(?=\d{4} ))?|(?P<year>(?:20)?\d\d)(?=\d{4} )|(?=\d\d-\d\d ))"
    r"(?P<month>\d\d)-?(?P<day>\d\d) (?P<clock>[ \d]\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?",
    re.ASCII,
)
"""klog and glog after their letter, MySQL 5.5 and older, logcat."""

_EPOCH = re.compile(r"(\d{10})\.(\d{3,9})\s|\[(\d{10})\] ", re.ASCII)
"""Squid; Nagios and Unbound."""

_AUDIT = re.compile(r"(?:node=\S{1,40} )?(?:type=\S{1,40} )?msg=audit\((\d{10})\.(\d{1,9}):", re.ASCII)

_LONGEST = len("22 Nov 2026 13")
"""Characters of a time before its first `:`. Finding the `:` first is much faster than searching for the time."""


def time_of_text(text: str, day: int, zone: tzinfo | None) -> Moment | None:
    """Return the time near the beginning of a text; None if there is none.

    day: of reading, in days since 1970.   zone: of a time that names none; None is the local one.
    """
    colon = text.find(":", 0, NEAR)
    while colon >= 0 and text[colon + 3 : colon + 4] != ":":
        colon = text.find(":", colon + 1, NEAR)
    if colon < 0:
        return _epoch(text)
    separator = text[colon - 6] if colon >= 9 else ""
    if separator == " " and (found := _SYSLOG.match(text, colon - 9, NEAR)):
        second, fraction, rest = found.groups()
        moment = syslog_second(second, rest, day, zone)
    elif separator and separator in "-/" and (found := _ISO.match(text, colon - 13 if colon > 13 else 0, NEAR)):
        second, fraction, offset = found.groups()
        moment = iso_second(second, offset, zone)
    elif separator.isalpha() and (found := _DAY_FIRST.match(text, colon - 11 if colon > 11 else 0, NEAR)):
        second, _, fraction, offset = found.groups()
        moment = _day_first_second(second, offset, day, zone)
    else:
        return _search(text, colon, day, zone) or _epoch(text)
    return with_fraction(moment, fraction)


def _search(text: str, colon: int, day: int, zone: tzinfo | None) -> Moment | None:
    """Search for a time around or after the first `:` of a clock."""
    begin = colon - _LONGEST if colon > _LONGEST else 0
    if found := _ISO.search(text, begin, NEAR):
        second, fraction, offset = found.groups()
        return with_fraction(iso_second(second, offset, zone), fraction)
    if found := _SYSLOG.search(text, begin, NEAR):
        second, fraction, rest = found.groups()
        return with_fraction(syslog_second(second, rest, day, zone), fraction)
    if found := _DAY_FIRST.search(text, begin, NEAR):
        second, _, fraction, offset = found.groups()
        return with_fraction(_day_first_second(second, offset, day, zone), fraction)
    for form in (_DIGITS, _MONTH_FIRST):
        if found := form.search(text, begin, NEAR):
            return _calendar(found, day, zone)
    return None


def _calendar(found: re.Match[str], day: int, zone: tzinfo | None) -> Moment | None:
    parts = found.groupdict()
    year = parts.get("year") or parts.get("klog") or ""
    century = "20" if len(year) == 2 else ""
    month, date = MONTH_NUMBERS.get(parts["month"], parts["month"]), parts["day"].strip()
    text = f"{century}{year}-{month}-{date:0>2}T{parts['clock'].replace(' ', '0')}"
    return with_fraction(_calendar_second(text, parts.get("zone"), day, zone), parts["fraction"])


def _epoch(text: str) -> Moment | None:
    """Return the Unix time at the beginning of a line."""
    if text[10:11] == "." or text[11:12] == "]":
        found = _EPOCH.match(text)
    else:
        found = _AUDIT.match(text) if text.startswith(("type=", "msg=", "node=")) else None
    return with_fraction(_epoch_second(found[1] or found[3]), found[2]) if found else None


@to_second
def iso_second(text: str, offset: str | None, zone: tzinfo | None) -> datetime:
    """Return the moment of a date with a year, and a clock."""
    return _in_zone(text.replace("/", "-"), offset, zone)


@to_second
def syslog_second(text: str, rest: str | None, day: int, zone: tzinfo | None) -> datetime:
    """Return the moment of a month, a day and a clock. rest: the text after it, which may name UTC and a year."""
    month, date, clock = text.split()
    behind = rest.split() if rest else []
    year = behind.pop() if behind and behind[-1].isdecimal() else ""
    return _closest(f"{year}-{MONTH_NUMBERS[month]}-{date:0>2}T{clock}", behind[0] if behind else None, day, zone)


@to_second
def _day_first_second(text: str, offset: str | None, day: int, zone: tzinfo | None) -> datetime:
    date, month, year = text[:2], MONTH_NUMBERS[text[3:6]], text[7:11] if len(text) > len("22 Nov 13:00:00") else ""
    return _closest(f"{year}-{month}-{date}T{text[-8:]}", offset, day, zone)


@to_second
def _calendar_second(text: str, offset: str | None, day: int, zone: tzinfo | None) -> datetime:
    return _closest(text, offset, day, zone)


@to_second
def _epoch_second(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


def _closest(text: str, offset: str | None, day: int, zone: tzinfo | None) -> datetime:
    """Return the time. If it begins with `-` instead of a year, it is in the year that puts it closest to `day`."""
    if not text.startswith("-"):
        return _in_zone(text, offset, zone)
    return in_closest_year(text[1:6], day, lambda year: _in_zone(f"{year:04}{text}", offset, zone))


def _in_zone(text: str, offset: str | None, zone: tzinfo | None) -> datetime:
    """Return a time in the zone that it names, or in `zone` if it names none."""
    if not offset:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    named = offset.strip()
    return datetime.fromisoformat(text + ("Z" if named in ("UTC", "GMT") else named))
