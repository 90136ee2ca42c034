"""The time in a syslog header, in any of the forms that devices write -> when that was. Pure, save for the local zone.

A time without a year is in the year that puts it closest to when it was received, one without a zone is local. Of zone
words those below are known; any other counts as none. A second, day or month that there is not makes no time at all.
"""

from __future__ import annotations

import calendar
import functools
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from shippers.parse.timestamp.clock import DAY, MONTH, MONTHS, Moment

_BY_HOURS = (
    *((0.0, "UTC GMT Z WET"), (1.0, "WEST BST CET MET"), (2.0, "CEST MEST SAST EET"), (3.0, "EEST MSK"), (5.5, "IST")),
    *((8.0, "SGT HKT AWST"), (9.0, "JST KST"), (9.5, "ACST"), (10.0, "AEST"), (11.0, "AEDT"), (12.0, "NZST")),
    *((13.0, "NZDT"), (-4.0, "EDT"), (-5.0, "EST CDT"), (-6.0, "CST MDT"), (-7.0, "MST PDT"), (-8.0, "PST AKDT")),
    *((-9.0, "AKST"), (-10.0, "HST")),
)
_HOURS = {word: hours for hours, words in _BY_HOURS for word in words.split()}
"""East of UTC. Where a word stands for several (BST, CST, IST), the one that most devices mean by it."""

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
"""A time as it stands in a header: bounded, and without groups."""

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
    """When `text`, a STAMP or a Unix time, was; None where it is no time that there is.

    received: Unix time.   zone: of times that name none; None is the local one.
    """
    fraction = _BEHIND_SECOND.search(text)
    whole = text[: fraction.start()] + text[fraction.end() :] if fraction else text
    second = _second(whole, int(received // DAY), zone)
    if second is None or not fraction:
        return second and (second[0] + "Z", second[1])
    digits = fraction[1][:9]
    return f"{second[0]}.{digits}Z", second[1] + int(digits[:3].ljust(3, "0"))


@functools.lru_cache(maxsize=4096)
def _second(text: str, day: int, zone: tzinfo | None) -> Moment | None:
    """What `text`, received on that day since 1970, is as UTC to the second, without the Z: many share one."""
    try:
        epoch = _EPOCH.fullmatch(text)
        utc = datetime.fromtimestamp(int(text), UTC) if epoch else _read(text, day, zone)
    except (ValueError, OverflowError):
        return None
    return (utc.replace(tzinfo=None).isoformat(), int(utc.timestamp()) * 1000) if utc else None


def _read(text: str, day: int, zone: tzinfo | None) -> datetime | None:
    """In UTC; raises ValueError or OverflowError where there is no such time."""
    found = _READ.fullmatch(text)
    if found is None:
        return None
    own = _zone(found["zone"]) or zone
    if found["iso"]:
        return _utc(found["iso"].replace("/", "-"), found["clock"], own)
    month = MONTHS.index(found["month"] or found["month2"]) + 1
    rest = f"{month:02}-{found['day'] or found['day2']:0>2}"
    year = found["year"] or found["year2"] or found["year3"] or found["year4"]
    if year:
        return _utc(f"{year}-{rest}", found["clock"], own)
    around = datetime.fromtimestamp(day * DAY, UTC).year
    years = (around - 1, around, around + 1)
    there_are = [each for each in years if calendar.isleap(each) or rest != "02-29"]
    moments = [_utc(f"{each:04}-{rest}", found["clock"], own) for each in there_are]
    return min(moments, key=lambda each: abs(each.timestamp() - day * DAY))


def _utc(date: str, clock: str, zone: tzinfo | None) -> datetime:
    return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=zone).astimezone(UTC)


def _zone(word: str | None) -> tzinfo | None:
    if not word:
        return None
    if word[-1].isdigit():
        sign = -1 if "-" in word else 1
        digits = re.sub(r"\D", "", word)
        return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0)))
    return timezone(timedelta(hours=_HOURS[word.upper()]))
