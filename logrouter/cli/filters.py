"""Parses the options that select the records to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from logrouter.config.units import parse_duration


def parse_regex(ctx: click.Context, param: click.Parameter, pattern: str | None) -> Any:
    """Click callback: compile an RE2 pattern."""
    if pattern is None:
        return None
    from logrouter.support.regex import compile_regex, regex_problem

    if problem := regex_problem(pattern):
        raise click.BadParameter(problem, ctx, param)
    return compile_regex(pattern)


def parse_time(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Click callback: return the time as ISO 8601 in UTC.

    The text is a duration before now such as `10m`, a date, or a date and time, local unless it has an offset.
    """
    if text is None:
        return None
    try:
        moment = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            message = f"{text!r} is not a time; use 10m, 2h or 3d (ago), 2026-11-22 or 2026-11-22T10:00"
            raise click.BadParameter(message, ctx, param) from None
    return moment.replace(tzinfo=None).isoformat()


def patterns_or_all(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns to bind: `#`, which matches every key, if there are none."""
    return tuple(patterns) or ("#",)
