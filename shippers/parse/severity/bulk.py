"""Severity and time of lines, all at one look where they are of a form that very many programs write. Pure.

In come lines, out go the columns of what they tell. `severity` and `time` know every form; they say the same of the few
that are known here, which is what they are tested against, and have the last word on all others.
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
"""Nov 22 12:00:00 host program: what the message is worth, its words say."""

_BSD_HEAD = len("Nov 22 12:00:00 h")

_EACH = 50
"""Of so many lines one is looked at to know which forms there are: a file is of one form as a rule, or of long runs."""

Columns = tuple[Sequence[str], Sequence[Moment | None]]
"""Each line's severity and time, "" and None where its form does not tell."""

Second = Callable[..., Moment | None]


class BulkResult(NamedTuple):
    """Columns: each line's severity, how that was found, its time in RFC 3339 and in ms since 1970."""

    severities: Sequence[str]
    found_by: Sequence[str]
    times: Sequence[str]
    moments: Sequence[int]


def glance(lines: Sequence[str], default: str, now: float, zone: tzinfo | None = None) -> BulkResult:
    """What lines, without their newlines, tell.

    default: the severity of a line that states none.   now: when they were read, Unix time, which is the time of a line
    without one.   zone: of times that name none; None is the local one.
    """
    day = int(now // DAY)
    unknown: Moment = (rfc3339(now), int(now * 1000))
    levels, moments = _by_forms(lines, day, zone)
    found_by = [STATED] * len(lines)
    untold = [index for index, level in enumerate(levels) if not level]
    for index, found in zip(untold, severities([lines[index] for index in untold], default), strict=True):
        levels[index], found_by[index] = found
    timed = [moment or time(line, day, zone) or unknown for moment, line in zip(moments, lines, strict=True)]
    return BulkResult(levels, found_by, *zip(*timed, strict=True))


def _by_forms(lines: Sequence[str], day: int, zone: tzinfo | None) -> tuple[list[str], list[Moment | None]]:
    """What the forms tell that there are. Each reads all runs of lines that may be of it as one."""
    levels: list[str] = [""] * len(lines)
    moments: list[Moment | None] = [None] * len(lines)
    begins = "".join([line[:1] or "\n" for line in lines])
    for form, run, read in _FORMS:
        runs = [found.span() for found in run.finditer(begins)]
        if runs and any(found.lastindex for found in map(form.match, lines[::_EACH]) if found):
            told, timed = read(list(chain.from_iterable(lines[start:end] for start, end in runs)), day, zone)
            begin = 0
            for start, end in runs:
                those = slice(begin, begin := begin + end - start)
                levels[start:end], moments[start:end] = told[those], timed[those]
    return levels, moments


def _numbered(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    return _read(_groups(_NUMBERED, lines), UPPER, iso_second, zone)


def _named(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    """Only the mild levels: whether a grave word is one is for what stands around it to say."""
    names, *groups = _groups(_NAMED, lines)
    levels, moments = _read(groups, MILD, iso_second, zone)
    telling = {name for name in set(names) if not _is_mute(name)}
    if telling:
        levels = ["" if name in telling else level for name, level in zip(names, levels, strict=True)]
        moments = [None if name in telling else moment for name, moment in zip(names, moments, strict=True)]
    return levels, moments


@lru_cache(maxsize=256)
def _is_mute(name: str) -> bool:
    """Whether a name holds neither a level nor a time."""
    return not WORD.search(name + " ") and not time_of_text(name, 0, None)


def _bracketed(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    return _read(_groups(_BRACKETED, lines), BRACKETED, syslog_second, day, zone)


def _groups(form: re.Pattern[str], lines: Sequence[str]) -> list[tuple[str, ...]]:
    """What each group of a form holds, line by line."""
    return list(zip(*form.findall("\n".join(lines)), strict=True))


def _read(groups: Sequence[Sequence[str]], levels: Mapping[str, str], second: Second, *known: object) -> Columns:
    """Columns of groups: a time to the second, its fraction, what stands behind it, a word for the level.

    known: what `second` takes besides the first and the third.
    """
    seconds, fractions, behind, words = groups
    moments = map(with_fraction, map(second, seconds, behind, *map(repeat, known)), fractions)
    return list(map(levels.get, words, repeat(""))), list(moments)


def _bsd(lines: Sequence[str], day: int, zone: tzinfo | None) -> Columns:
    heads = [line[:_BSD_HEAD] for line in lines]
    return [""] * len(lines), list(map(_bsd_time, heads, repeat(day), repeat(zone)))


@lru_cache(maxsize=4096)
def _bsd_time(head: str, day: int, zone: tzinfo | None) -> Moment | None:
    """Remembered with the first letter of the host, which tells that no year and no zone stand there."""
    found = _BSD.match(head)
    return syslog_second(found[1], " ", day, zone) if found else None


_FORMS = (
    (_NUMBERED, re.compile("[0-9]+"), _numbered),
    (_NAMED, re.compile("[a-z]+"), _named),
    (_BRACKETED, re.compile(r"\[+"), _bracketed),
    (_BSD, re.compile("[ADFJMNOS]+"), _bsd),
)
"""Each with what finds runs of lines by the characters that they begin with."""
