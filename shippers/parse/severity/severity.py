"""Find the severity of a line of text, and say how it was found. Pure.

*stated*: the line has a level in a place for levels: a field of JSON or logfmt, a letter, sign or word after the time,
or a word in capitals, in brackets or before a colon. *guessed*: running text has a grave word, or a response failed.
*default*: neither, so the input decides.
"""

from __future__ import annotations

import re

from shippers.parse.colours import strip_colours
from shippers.parse.severity.heads import DIGITS, DOTNET, HEADED, response, stated_at_head
from shippers.parse.severity.objects import level_fields, stated_in_fields
from shippers.parse.severity.words import DEFAULT, GUESSED, STATED, WORD, standing

__all__ = ["DEFAULT", "GUESSED", "NEAR", "STATED", "severity"]

NEAR = 128
"""Characters from the beginning of a line within which a level counts."""

_WRAPPED = "{" + DIGITS
"""First characters of lines that may contain a line of another program."""

_FAILURE = re.compile(
    r"(?:Traceback \(most recent call last\)|Exception in thread |Uncaught |Caused by: |unhandled exception)"
    r"|(?:[a-z_$][\w$]{0,40}\.){0,10}[A-Z]\w{0,60}(?:Error|Exception)(?:: |$)",
    re.ASCII,
)
"""The beginning of a line that reports an exception or the crash of a program."""

_CONTAINER = re.compile(r"\d{4}-[\d:.TZ+-]{16,31} std(?:out|err) [FP] ", re.ASCII)
"""The prefix that Kubernetes adds to each line of a container."""


def severity(line: str, default: str = "info") -> tuple[str, str]:
    """Return (severity, how it was found) of a line; `default` if the line states none."""
    return _of_wrapped(line, default) if line[:1] in _WRAPPED else _of_text(line, default)


def _of_wrapped(line: str, default: str) -> tuple[str, str]:
    if not line.startswith("{"):
        container = _CONTAINER.match(line)
        line = line[container.end() :] if container else line
    if line.startswith("{"):
        fields = level_fields(line)
        if fields is not None:
            level = stated_in_fields(fields)
            if level is None and isinstance(fields.log, str):  # Docker wraps a line this way
                return _of_text(fields.log, default)
            return (level, STATED) if level else (default, DEFAULT)
    return _of_text(line, default)


def _of_text(line: str, default: str) -> tuple[str, str]:
    if "\x1b" in line:
        line = strip_colours(line[: 4 * NEAR])
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
    """Report whether the line reports a crash. Searching for literals first costs a fifth of a failed match."""
    return ("rror" in line or "xception" in line or first in "TUC") and _FAILURE.match(line) is not None
