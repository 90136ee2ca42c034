"""Regular expressions of users, in RE2's syntax. RE2 takes linear time, so no pattern can stall on a long line."""

from __future__ import annotations

from typing import Any

import re2


def compile_regex(pattern: str) -> Any:
    """Return a compiled RE2 pattern, which has `search(text)`. Raises re2.error if the pattern is invalid."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def regex_problem(pattern: Any) -> str | None:
    """Return what is wrong with a pattern, or None if it is valid."""
    if not isinstance(pattern, str):
        return f"{pattern!r} is not a string"
    try:
        compile_regex(pattern)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return None
