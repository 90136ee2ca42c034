"""Find severity and time of many lines at once, if the lines have one of the most common formats. Pure.

`severity` and `time` know every format and handle all other lines. For the few formats that are known here, both ways
give the same results, which the tests verify.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache
from itertools import chain, repeat
from typing import NamedTuple

from logrouter.wire.record import rfc3339
from shippers.parse.severity.heads import UPPER
from shippers.parse.severity.prefilter import severities
from shippers.parse.severity.words import BRACKETED, MILD, STATED, WORD
from shippers.parse.timestamp.calendar import DAY, MONTH, Moment, with_fraction
from shippers.parse.timestamp.clock import iso_second, syslog_second, time_of_text
from shippers.parse.timestamp.line import time

_SPACE = r"[ \t\r\f\v]"
_ISO = rf"(\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{{1,9}}))?(Z|[+-]\d\d:\d\d)?(?=[]]|{_SPACE})"
_NUMBERS = rf"(?>[][\d:.,/TZ+-]*+{_SPACE}++)(?>(?:[][\d:.,/TZ+-]++{_SPACE}++)*+)"

_NUMBERED = re.compile(  # 2026-11-22 12:00:00,123 [4711] - INFO, or other times and numbers before the level
    rf"^(?:(?=\[?[\d:.,/TZ+-]{{5}})(?:{_ISO})?{_NUMBERS}([A-Z]{{3,9}})(?=[]:|]|{_SPACE}))?.*",
    re.ASCII | re.MULTILINE,
)
_NAMED = re.compile(  # api.log 2026-11-22 12:00:00.123 4711 INFO
    rf"^(?:([a-z]{{2}}[\w.,:;/@=+-]{{0,38}}) {_ISO}(?: \d{{1,10}})?(?: \d{{1,10}})? ([A-Z]{{4,9}})(?= ))?.*",
    re.ASCII | re.MULTILINE,
)
_BRACKETED = re.compile(  # [Sun Nov 22 12:00:00.123456 2026] [core:notice]
    rf"^(?:\[[A-Z][a-z]{{2}} ({MONTH} [ \d]?\d \d\d:\d\d:\d\d)(?:\.(\d{{1,9}}))?( \d{{4}})\]"
    r" \[(?:\w{1,32}:)?([a-z]+)\])?.*",
    re.ASCII | re.MULTILINE,
)
_BSD = re.compile(rf"({MONTH} [ \d]?\d \d\d:\d\d:\d\d) (?![UG\d])", re.ASCII)
"""Nov 22 12:00:00 host program. Only the time: the severity depends on the words of the message."""

_BSD_HEAD = len("Nov 22 12:00:00 h")

_EACH = 50
"""One line in so many is examined to find the formats that occur: most files have one format, or long runs of one."""

Columns = tuple[Sequence[str], Sequence[Moment | None]]
"""The severity and the time of each line, "" and None if its format does not state them."""

Second = Callable[..., Moment | None]


class BulkResult(NamedTuple):
    """Columns with an entry for each line.

    severities: names.   found_by: STATED, GUESSED or DEFAULT.   times: RFC 3339 in UTC.   moments: ms since 1970.
    """

    severities: Sequence[str]
    found_by: Sequence[str]
    times: Sequence[str]
    moments: Sequence[int]


def parse_lines(lines: Sequence[str], default: str, now: float, zone: tzinfo | None = None) -> BulkResult:
    """Return severity and time of each line. lines: without their newlines.

    default: the severity of a line that states none.   now: Unix time at which the lines were read; it is the time of a
    line that states none.   zone: of times that name none; None is the local one.
    """
    day = int(now // DAY)
    unknown: Moment = (rfc3339(now), int(now * 1000))
    levels, moments = _by_forms(lines, day, zone)
    found_by = [STATED] * len(lines)
    unknowns = [index for index, level in enumerate(levels) if not level]
    for index, found in zip(unknowns, severities([lines[index] for index in unknowns], default), strict=True):
        levels[index], found_by[index] = found
    timed = [moment or time(line, day, zone) or unknown for moment, line in zip(moments, lines, strict=True)]
    return BulkResult(levels, found_by, *zip(*timed, strict=True))


def _by_forms(lines: Sequence[str], day: int, zone: tzinfo | None) -> tuple[list[str], list[Moment | None]]:
    """Return what the formats state. Each format parses all runs of lines that may have it as one text."""
    levels: list[str] = [""] * len(lines)
    moments: list[Moment | None] = [None] * len(lines)
    begins = "".join([line[:1] or "\n" for line in lines])
    for form, run, read in _FORMS:
        runs = [found.span() for found in run.finditer(begins)]
        if runs and any(found.lastindex for found in map(form.match, lines[::_EACH]) if found):
            stated, timed = read(list(chain.from_iterable(lines[start:end] for start, end in runs)), day, zone)
            begin = 0
            for start, end in runs:
                those = slice(begin, begin := begin + end - start)
                levels[start:end], moments[start:end] = stated[those], timed[those]
    return levels, moments


def _numbered(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    return _read(_groups(_NUMBERED, lines), UPPER, iso_second, zone)


def _named(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    """Return only mild levels: whether a grave word is a level depends on the text around it."""
    names, *groups = _groups(_NAMED, lines)
    levels, moments = _read(groups, MILD, iso_second, zone)
    telling = {name for name in set(names) if not _is_mute(name)}
    if telling:
        levels = ["" if name in telling else level for name, level in zip(names, levels, strict=True)]
        moments = [None if name in telling else moment for name, moment in zip(names, moments, strict=True)]
    return levels, moments


@lru_cache(maxsize=256)
def _is_mute(name: str) -> bool:
    """Report whether a name contains neither a level nor a time."""
    return not WORD.search(name + " ") and not time_of_text(name, 0, None)


def _bracketed(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    return _read(_groups(_BRACKETED, lines), BRACKETED, syslog_second, day, zone)


def _groups(form: re.Pattern[str], lines: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a column for each group of a format."""
    return list(zip(*form.findall("\n".join(lines)), strict=True))


def _read(groups: Sequence[Sequence[str]], levels: Mapping[str, str], second: Second, *known: object) -> Columns:
    """Convert groups to columns.

    groups: a time to the second, its fraction, the text after it, and the word for the level.   known: arguments that
    `second` takes besides the time and the text after it.
    """
    seconds, fractions, behind, words = groups
    moments = map(with_fraction, map(second, seconds, behind, *map(repeat, known)), fractions)
    return list(map(levels.get, words, repeat(""))), list(moments)


def _bsd(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    heads = [line[:_BSD_HEAD] for line in lines]
    return [""] * len(lines), list(map(_bsd_time, heads, repeat(day), repeat(zone)))


@lru_cache(maxsize=4096)
def _bsd_time(head: str, day: int, zone: tzinfo | None) -> Moment | None:
    """Return the time at the beginning of a line, cached by second.

    head: up to the first letter of the host, which shows that no year or zone follows the time.
    """
    found = _BSD.match(head)
    return syslog_second(found[1], " ", day, zone) if found else None


_FORMS = (
    (_NUMBERED, re.compile("[0-9]+"), _numbered),
    (_NAMED, re.compile("[a-z]+"), _named),
    (_BRACKETED, re.compile(r"\[+"), _bracketed),
    (_BSD, re.compile("[ADFJMNOS]+"), _bsd),
)
"""Each format, a pattern that finds runs of its lines by their first characters, and its parser."""
