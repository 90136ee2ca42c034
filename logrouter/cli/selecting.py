"""Which records a listening command shows: patterns on keys, a severity and worse, a regex, a span of time.

In come options, out goes a test of a record; pure but for reading the clock for `--since 10m`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from logrouter.config.units import parse_duration
from logrouter.keys import RANK, matcher, routing_key
from logrouter.record import Record


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted; empty means everything. since, until: as `filing_time` gives it."""

    patterns: tuple[str, ...] = ()
    severity: str | None = None
    regex: Any = None
    since: str | None = None
    until: str | None = None

    def takes(self, record: Record) -> bool:
        """Whether a record is wanted."""
        if self.severity is not None and RANK.get(record.severity, 99) > RANK[self.severity]:
            return False
        filed = filing_time(record)
        if (self.since is not None and filed < self.since) or (self.until is not None and filed >= self.until):
            return False
        if self.patterns:
            key = routing_key(record.service, record.host, record.severity)
            if not any(matcher(pattern)(key) for pattern in self.patterns):
                return False
        return self.regex is None or self.regex.search(record.message) is not None


def filing_time(record: Record) -> str:
    """The time that a record is filed by, in a form whose order as text is that of time."""
    return (record.received or record.ts).removesuffix("Z")


def parse_regex(ctx: click.Context, param: click.Parameter, pattern: str | None) -> Any:
    """A click callback: an RE2 pattern."""
    if pattern is None:
        return None
    from logrouter.regex import compile_regex, regex_problem

    if problem := regex_problem(pattern):
        raise click.BadParameter(problem, ctx, param)
    return compile_regex(pattern)


def parse_time(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """A click callback: `10m` ago, a date, or a date and time (local unless it says otherwise), in UTC."""
    if text is None:
        return None
    try:
        moment = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            message = f"{text!r} is no time; write 10m, 2h, 3d (ago), 2026-11-22 or 2026-11-22T10:00"
            raise click.BadParameter(message, ctx, param) from None
    return moment.replace(tzinfo=None).isoformat()


def patterns_or_all(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns to bind: `#` if none was given."""
    return tuple(patterns) or ("#",)
