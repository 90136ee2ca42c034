"""Many lines -> the severity of each, with a look only at those that may say something. Pure.

RE2 goes through a text once however many words it looks for, and so passes over a line that says nothing in a tenth of
the time in which `severity` finds that out.
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
"""Finds a place in each line that says something, and in few others."""

_MOST_AT_ONCE = 64


def severities(lines: Sequence[str], default: str) -> list[tuple[str, str]]:
    """`severity` of each of many lines without their newlines.

    The more lines say something, the more are looked at before the next is searched for.
    """
    found = [(default, DEFAULT)] * len(lines)
    text = "\n".join(lines).encode("latin-1", "replace")  # a byte a character: positions are the same in both
    index = begin = 0
    at_once = 1
    while index < len(lines) and (telling := _SIEVE.search(text, begin)):
        passed = text.count(b"\n", begin, telling.start())
        at_once = 1 if passed >= at_once else min(2 * at_once, _MOST_AT_ONCE)
        index += passed
        some = lines[index : index + at_once]
        found[index : index + len(some)] = [severity(line, default) for line in some]
        begin = text.rfind(b"\n", 0, telling.start()) + 1 + sum(map(len, some)) + len(some)
        index += len(some)
    return found
