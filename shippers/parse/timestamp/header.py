"""Parse the time in a syslog header, in any format that devices write. Pure, except for the local time zone.

A time without a year is in the year that puts it closest to the time of reception. A time without a zone is local. Only
the zone names below are known, and any other counts as none. A time that does not exist, such as second 61, is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from shippers.parse.timestamp.calendar import (
    DAY,
    MONTH,
    MONTH_NUMBERS,
    Moment,
    in_closest_year,
    to_second,
    with_fraction,
)

_BY_HOURS = (
    *((0.0, "UTC GMT Z WET"), (1.0, "WEST BST CET MET"), (2.0, "CEST MEST SAST EET"), (3.0, "EEST MSK"), (5.5, "IST")),
    *((8.0, "SGT HKT AWST"), (9.0, "JST KST"), (9.5, "ACST"), (10.0, "AEST"), (11.0, "AEDT"), (12.0, "NZST")),
    *((13.0, "NZDT"), (-4.0, "EDT"), (-5.0, "EST CDT"), (-6.0, "CST MDT"), (-7.0, "MST PDT"), (-8.0, "PST AKDT")),
    *((-9.0, "AKST"), (-10.0, "HST")),
)
_HOURS = {word: hours for hours, words in _BY_HOURS for word in words.split()}
"""Hours east of UTC. If a name stands for several zones (BST, CST, IST), this is the one that most devices mean."""

_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )"
YEAR = r"(?:19|20)\d\d"
_CLOCK = r"\d\d:\d\d:\d\d"
_FRACTION = r"[.,]\d{1,12}"
ZONE = (
    r"(?:(?:UTC|GMT)?[+-]\d\d:?\d\d|(?:UTC|GMT)[+-]\d{1,2}|"
    + "|".join(sorted(_HOURS, key=len, reverse=True))
    + r")(?![\w.-])"
)

_DATE = rf"(?:{MONTH} [ \d]?\d,?(?: {YEAR})?|\d{{1,2}} {MONTH}(?: {YEAR})?)"
STAMP = (
    rf"(?:{_WEEKDAY}?(?:{YEAR} )?{_DATE} {_CLOCK}(?:{_FRACTION})?(?: {YEAR}\b)?(?: {ZONE})?(?: {YEAR}\b)?"
    rf"|\d{{4}}[-/]\d\d[-/]\d\d[Tt ]{_CLOCK}(?:{_FRACTION})?(?:z| ?{ZONE})?)"
)
"""A time in a header. The pattern is bounded in length and has no groups."""

_EPOCH = re.compile(r"\d{10}", re.ASCII)
_BEHIND_SECOND = re.compile(r"(?:(?<=:\d\d)|(?<=^\d{10}))[.,](\d{1,12})", re.ASCII)
_READ = re.compile(
    rf"(?:(?P<iso>\d{{4}}[-/]\d\d[-/]\d\d)[Tt ]"
    rf"|{_WEEKDAY}?(?:(?P<year>{YEAR}) )?"
    rf"(?:(?P<month>{MONTH}) +(?P<day>\d+),?|(?P<day2>\d+) (?P<month2>{MONTH}))(?: (?P<year2>{YEAR}))? )"
    rf"(?P<clock>{_CLOCK})(?: (?P<year3>{YEAR}\b))?(?: ?(?P<zone>[zZ]|{ZONE}))?"
    rf"(?: (?P<year4>{YEAR}))?",
    re.ASCII,
)


def moment(text: str, received: float, zone: tzinfo | None = None) -> Moment | None:
    """Return the moment of `text`, a STAMP or a Unix time; None if no such time exists.

    received: Unix time.   zone: of times that name none; None is the local one.
    """
    fraction = _BEHIND_SECOND.search(text)
    whole = text[: fraction.start()] + text[fraction.end() :] if fraction else text
    return with_fraction(_second(whole, int(received // DAY), zone), fraction[1] if fraction else None)


@to_second
def _second(text: str, day: int, zone: tzinfo | None) -> datetime:
    """Return the time to the second. Raises ValueError or OverflowError if no such time exists."""
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    found = _READ.fullmatch(text)
    if found is None:
        raise ValueError(text)
    own, clock = _zone(found["zone"]) or zone, found["clock"]
    if found["iso"]:
        return _in_zone(found["iso"].replace("/", "-"), clock, own)
    month_day = f"{MONTH_NUMBERS[found['month'] or found['month2']]}-{found['day'] or found['day2']:0>2}"
    if year := found["year"] or found["year2"] or found["year3"] or found["year4"]:
        return _in_zone(f"{year}-{month_day}", clock, own)
    return in_closest_year(month_day, day, lambda year: _in_zone(f"{year:04}-{month_day}", clock, own))


def _in_zone(date: str, clock: str, zone: tzinfo | None) -> datetime:
    return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=zone)


def _zone(word: str | None) -> tzinfo | None:
    if not word:
        return None
    if word[-1].isdigit():
        sign = -1 if "-" in word else 1
        digits = re.sub(r"\D", "", word)
        return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0)))
    return timezone(timedelta(hours=_HOURS[word.upper()]))
