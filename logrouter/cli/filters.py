"""Options that say which records a command shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from logrouter.config.units import parse_duration


def parse_regex(ctx: click.Context, param: click.Parameter, pattern: str | None) -> Any:
    """A click callback: an RE2 pattern."""
    if pattern is None:
        return None
    from logrouter.support.regex import compile_regex, regex_problem

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
