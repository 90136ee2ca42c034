"""Patterns of users, in RE2's syntax: its time is linear in the text, so none that loads can stall on a long line.

In comes a pattern, out goes what searches for it, or what is wrong with it.
"""

from __future__ import annotations

from typing import Any

import re2


def compile_regex(pattern: str) -> Any:
    """A compiled RE2 pattern with `search(text)`. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def regex_problem(pattern: Any) -> str | None:
    """What is wrong with a pattern, or None."""
    if not isinstance(pattern, str):
        return f"{pattern!r} is not a text"
    try:
        compile_regex(pattern)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return None
