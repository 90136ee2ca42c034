"""Severity and time of lines, both at one look where a line is of a form that very many programs write. Pure.

In come lines, out go the columns of what they tell. `severity` and `time` know every form; they say the same of the few
that are known here, which is what they are tested against, and have the last word on all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import NamedTuple

from logrouter.record import rfc3339
from shippers.parsing.clock import DAY, MILLISECONDS, Moment, iso_second, syslog_second
from shippers.parsing.heads import UPPER
from shippers.parsing.severity import severity
from shippers.parsing.time import time
from shippers.parsing.words import BRACKETED, STATED

_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

_TIMED = re.compile(
    # 2026-11-22 12:00:00,123 [4711] - INFO
    r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:\d\d)?"
    r"(?=[]\s])(?>[][\d:.,/TZ+-]*+\s++)(?>(?:[][\d:.,/TZ+-]++\s++)*+)([A-Z]{3,9})(?=[]\s:|])"
    # [Sun Nov 22 12:00:00.123456 2026] [core:notice]
    rf"|\[[A-Z][a-z]{{2}} ({_MONTHS} [ \d]?\d \d\d:\d\d:\d\d)(?:\.(\d{{1,9}}))?( \d{{4}})\]"
    r" \[(?:\w{1,32}:)?([a-z]+)\]",
    re.ASCII,
)
_BSD = re.compile(rf"({_MONTHS} [ \d]?\d \d\d:\d\d:\d\d)( )(?![UG\d])", re.ASCII)
"""Nov 22 12:00:00 host program: what the message is worth, its words say."""

_NUMBERS = "0123456789["


class Told(NamedTuple):
    """Columns: each line's severity, how that was found, its time in RFC 3339 and in ms since 1970."""

    severities: Sequence[str]
    found_by: Sequence[str]
    times: Sequence[str]
    moments: Sequence[int]


def glance(lines: Sequence[str], default: str, now: float, zone: tzinfo | None = None) -> Told:
    """What lines tell.

    default: the severity of a line that states none.   now: when they were read, Unix time, which is the time of a line
    without one.   zone: of times that name none; None is the local one.
    """
    rows = list(_rows(lines, default, now, zone))
    return Told(*zip(*rows, strict=True))


def _rows(lines: Sequence[str], default: str, now: float, zone: tzinfo | None) -> Iterator[tuple[str, str, str, int]]:
    unknown: Moment = (rfc3339(now), int(now * 1000))
    day = int(now // DAY)
    for line in lines:
        if line[:1] in _NUMBERS and (found := _TIMED.match(line)):
            second, fraction, offset, word, second_2, fraction_2, year, word_2 = found.groups()
            if second:
                level, moment = UPPER.get(word), iso_second(second, offset, zone)
            else:
                level, moment = BRACKETED.get(word_2), syslog_second(second_2, year, day, zone)
                fraction = fraction_2
            if level and moment:
                if fraction:
                    yield level, STATED, f"{moment[0][:-1]}.{fraction}Z", moment[1] + MILLISECONDS[fraction[:3]]
                else:
                    yield level, STATED, *moment
                continue
        found = _BSD.match(line)
        moment = syslog_second(found[1], " ", day, zone) if found else time(line, day, zone)
        yield *severity(line, default), *(moment or unknown)
