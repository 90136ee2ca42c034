"""A line of text -> its severity, and how that was found. Pure.

*stated*: the line has a level where levels stand: a field of JSON or logfmt, a letter, sign or word behind the time, a
word in capitals, in brackets or before a colon. *guessed*: a grave word in running text, or a response that failed.
*default*: neither, and the input decides.
"""

from __future__ import annotations

import re

from shippers.parse.colours import uncoloured
from shippers.parse.severity.heads import DIGITS, DOTNET, HEADED, response, stated_at_head
from shippers.parse.severity.objects import object_of, stated_in_fields
from shippers.parse.severity.words import DEFAULT, GUESSED, STATED, WORD, standing

__all__ = ["DEFAULT", "GUESSED", "NEAR", "STATED", "severity"]

NEAR = 128
"""Characters from the beginning of a line within which a level counts."""

_WRAPPED = "{" + DIGITS
"""How lines begin that may hold a line of another program."""

_FAILURE = re.compile(
    r"(?:Traceback \(most recent call last\)|Exception in thread |Uncaught |Caused by: |unhandled exception)"
    r"|(?:[a-z_$][\w$]{0,40}\.){0,10}[A-Z]\w{0,60}(?:Error|Exception)(?:: |$)",
    re.ASCII,
)
"""How a line begins that a program ends with, or an exception that it was given."""

_CONTAINER = re.compile(r"\d{4}-[\d:.TZ+-]{16,31} std(?:out|err) [FP] ", re.ASCII)
"""What Kubernetes puts before each line of a container."""


def severity(line: str, default: str = "info") -> tuple[str, str]:
    """(severity, how it was found) of a line; `default` for one that says nothing."""
    return _of_wrapped(line, default) if line[:1] in _WRAPPED else _of_text(line, default)


def _of_wrapped(line: str, default: str) -> tuple[str, str]:
    if not line.startswith("{"):
        container = _CONTAINER.match(line)
        line = line[container.end() :] if container else line
    if line.startswith("{"):
        fields = object_of(line)
        if fields is not None:
            level = stated_in_fields(fields)
            if level is None and isinstance(fields.log, str):  # what Docker puts a line into
                return _of_text(fields.log, default)
            return (level, STATED) if level else (default, DEFAULT)
    return _of_text(line, default)


def _of_text(line: str, default: str) -> tuple[str, str]:
    if "\x1b" in line:
        line = uncoloured(line[: 4 * NEAR])
    first, near, answered = line[:1], NEAR, None
    if first in HEADED and not line[1:2].islower():
        level = stated_at_head(line, first)
        if level is not None:
            return level, STATED
        if first in DIGITS:
            answered = response(line, NEAR)
            near = answered[0] if answered else NEAR
    guess = None
    found = WORD.search(line, 0, near)
    while found:
        kind, level = standing(line, found[0], found.start(), found.end())
        if kind == STATED:
            return (level, STATED) if level else (default, DEFAULT)
        guess = guess or (level if kind else None)
        found = WORD.search(line, found.end(), near)
    if not answered and ('"' in line or first in DIGITS):
        answered = response(line, NEAR)
    if answered:
        guess = answered[1]
    if first in "dft" and line[:6] in DOTNET:
        return DOTNET[line[:6]], STATED
    guess = guess or ("error" if _is_failure(line, first) else None)
    return (guess, GUESSED) if guess else (default, DEFAULT)


def _is_failure(line: str, first: str) -> bool:
    """A search for what each alternative of the pattern has is a fifth of the price of a match in vain."""
    return ("rror" in line or "xception" in line or first in "TUC") and _FAILURE.match(line) is not None
