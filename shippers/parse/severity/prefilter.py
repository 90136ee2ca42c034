"""Find the severities of many lines, and skip those that cannot state one. Pure.

RE2 searches a text once for any number of words, so it skips a line that states nothing in a tenth of the time that
`severity` takes for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from shippers.parse.severity.levels import LETTERS, MYSQL, NAMES, POSTGRES, SHORT
from shippers.parse.severity.severity import severity
from shippers.parse.severity.words import DEFAULT


def _bytewise() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return options


_WORDS = "|".join((*NAMES, *SHORT))
_SIEVE = re2.compile(
    (
        r'(?m)["\x1b]|rror|xception'
        rf"|(?:^|[^A-Za-z_\n])(?i:(?:{_WORDS})[1-8]?\b|(?:{'|'.join(POSTGRES)}):  |(?:{'|'.join(MYSQL)})\])"
        rf"|^(?:[\d{{\[(<]|Traceback|Uncaught|Caused|[{''.join(LETTERS)}][^A-Za-z\n])"
    ).encode(),
    _bytewise(),
)
"""Matches in each line that has a severity, and in few others."""

_MOST_AT_ONCE = 64


def severities(lines: Sequence[str], default: str) -> list[tuple[str, str]]:
    """Return `severity` of each line. lines: without their newlines.

    The more lines in a row may have a severity, the more are parsed before the next search.
    """
    found = [(default, DEFAULT)] * len(lines)
    text = "\n".join(lines).encode("latin-1", "replace")  # one byte for each character, so positions are the same
    index = begin = 0
    at_once = 1
    while index < len(lines) and (match := _SIEVE.search(text, begin)):
        passed = text.count(b"\n", begin, match.start())
        at_once = 1 if passed >= at_once else min(2 * at_once, _MOST_AT_ONCE)
        index += passed
        some = lines[index : index + at_once]
        found[index : index + len(some)] = [severity(line, default) for line in some]
        begin = text.rfind(b"\n", 0, match.start()) + 1 + sum(map(len, some)) + len(some)
        index += len(some)
    return found
