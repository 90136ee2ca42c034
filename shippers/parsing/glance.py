"""Severity and time of lines, all at one look where they are of a form that very many programs write. Pure.

In come lines, out go the columns of what they tell. `severity` and `time` know every form; they say the same of the few
that are known here, which is what they are tested against, and have the last word on all others. A file holds lines of
one form as a rule, so that the first line tells which; a column is then a call of C for all lines of a window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from logrouter.record import rfc3339
from shippers.parsing.clock import DAY, Moment, iso_second, syslog_second, with_fraction
from shippers.parsing.heads import UPPER
from shippers.parsing.sieve import severities
from shippers.parsing.time import time
from shippers.parsing.words import BRACKETED, STATED

_SPACE = r"[ \t\r\f\v]"
_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

_NUMBERED = re.compile(  # 2026-11-22 12:00:00,123 [4711] - INFO, or other times and numbers before the level
    r"^(?:(?=\[?[\d:.,/TZ+-]{5})"
    rf"(?:(\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{{1,9}}))?(Z|[+-]\d\d:\d\d)?(?=[]]|{_SPACE}))?"
    rf"(?>[][\d:.,/TZ+-]*+{_SPACE}++)(?>(?:[][\d:.,/TZ+-]++{_SPACE}++)*+)([A-Z]{{3,9}})(?=[]:|]|{_SPACE}))?.*",
    re.ASCII | re.MULTILINE,
)
_BRACKETED = re.compile(  # [Sun Nov 22 12:00:00.123456 2026] [core:notice]
    rf"^(?:\[[A-Z][a-z]{{2}} ({_MONTHS} [ \d]?\d \d\d:\d\d:\d\d)(?:\.(\d{{1,9}}))?( \d{{4}})\]"
    r" \[(?:\w{1,32}:)?([a-z]+)\])?.*",
    re.ASCII | re.MULTILINE,
)
_BSD = re.compile(rf"({_MONTHS} [ \d]?\d \d\d:\d\d:\d\d) (?![UG\d])", re.ASCII)
"""Nov 22 12:00:00 host program: what the message is worth, its words say."""

_BSD_HEAD = len("Nov 22 12:00:00 h")

Columns = tuple[list[str], list[Moment | None]]
"""Each line's severity and time, "" and None where its form does not tell."""


class Told(NamedTuple):
    """Columns: each line's severity, how that was found, its time in RFC 3339 and in ms since 1970."""

    severities: Sequence[str]
    found_by: Sequence[str]
    times: Sequence[str]
    moments: Sequence[int]


def glance(lines: Sequence[str], default: str, now: float, zone: tzinfo | None = None) -> Told:
    """What lines, without their newlines, tell.

    default: the severity of a line that states none.   now: when they were read, Unix time, which is the time of a line
    without one.   zone: of times that name none; None is the local one.
    """
    day = int(now // DAY)
    unknown: Moment = (rfc3339(now), int(now * 1000))
    levels, moments = _by_form(lines, day, zone)
    found_by = [STATED] * len(lines)
    untold = [index for index, level in enumerate(levels) if not level]
    for index, found in zip(untold, severities([lines[index] for index in untold], default), strict=True):
        levels[index], found_by[index] = found
    if not all(moments):
        moments = [moment or time(line, day, zone) or unknown for moment, line in zip(moments, lines, strict=True)]
    return Told(levels, found_by, *zip(*moments, strict=True))


def _by_form(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    """What the form of the first line tells of all that share it."""
    if _is_of(_NUMBERED, lines[0]):
        seconds, fractions, offsets, words = zip(*_NUMBERED.findall("\n".join(lines)), strict=True)
        moments = map(iso_second, seconds, offsets, repeat(zone))
        return list(map(UPPER.get, words, repeat(""))), _with_fractions(moments, fractions)
    if _is_of(_BRACKETED, lines[0]):
        seconds, fractions, years, words = zip(*_BRACKETED.findall("\n".join(lines)), strict=True)
        moments = map(syslog_second, seconds, years, repeat(day), repeat(zone))
        return list(map(BRACKETED.get, words, repeat(""))), _with_fractions(moments, fractions)
    untold = [""] * len(lines)
    if _BSD.match(lines[0]):
        return untold, list(map(_bsd_time, [line[:_BSD_HEAD] for line in lines], repeat(day), repeat(zone)))
    return untold, [None] * len(lines)


def _is_of(form: re.Pattern[str], line: str) -> bool:
    """Whether a line is of a form: one that is not matches too, without groups."""
    found = form.match(line)
    return found is not None and found.lastindex is not None


def _with_fractions(seconds: Iterable[Moment | None], fractions: Sequence[str]) -> list[Moment | None]:
    return list(map(with_fraction, seconds, fractions) if any(fractions) else seconds)


@lru_cache(maxsize=4096)
def _bsd_time(head: str, day: int, zone: tzinfo | None) -> Moment | None:
    """Remembered with the first letter of the host, which tells that no year and no zone stand there."""
    found = _BSD.match(head)
    return syslog_second(found[1], " ", day, zone) if found else None
