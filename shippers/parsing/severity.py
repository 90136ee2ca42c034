"""Lines of text -> their severities, and how each was found. Pure.

*stated*: the line has a level where levels stand: a JSON or logfmt field, a word in capitals, in brackets or before a
colon, or the letter that some programs write after the time. *guessed*: a grave word in running text. *default*:
neither, and the input decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from logrouter.keys import SEVERITIES

STATED, GUESSED, DEFAULT = "stated", "guessed", "default"

NEAR = 128
"""Characters from the beginning of a line within which a level counts."""

_WORDS = {
    "emerg": "emerg emergency panic",
    "alert": "alert",
    "crit": "crit critical fatal",
    "error": "err error severe",
    "warning": "warn warning",
    "notice": "notice",
    "info": "info information informational",
    "debug": "debug trace verbose fine finer finest",
}
_LEVELS = {word: severity for severity, words in _WORDS.items() for word in words.split()}
_LETTERS = dict(zip("FCEWNIDV", ("crit", "crit", "error", "warning", "notice", "info", "debug", "debug"), strict=True))
_NUMBERS = {str(number): severity for number, severity in enumerate(SEVERITIES)} | dict(
    zip(("10", "20", "30", "40", "50", "60"), ("debug", "debug", "info", "warning", "error", "crit"), strict=True)
)
"""0 to 7 as syslog numbers them, the tens as bunyan and pino do."""

_GRAVE = frozenset(("panic", "fatal", "critical", "error", "warning"))


def _any_case(letters: Iterable[str]) -> str:
    return "|".join(form for each in sorted(set(letters), reverse=True) for form in (each, each.upper()))


_WORD = re.compile(
    rf"[{_any_case(word[0] for word in _LEVELS)}][{_any_case(word[1] for word in _LEVELS)}]"
    rf"(?<![\w./\\-]..)(?:{_any_case(word[2:] for word in _LEVELS)})(?![\w=/\\(-]|\.\w)"
)
"""Finds the levels as words of their own, and a few words that are none: a search for two sets of letters, and for the
rest only then, is three times as fast as one for alternatives."""

_NEGATION = re.compile(r"(?:^|\W)(?:no|not|without|zero|0) $", re.IGNORECASE)
_FIELD = re.compile(r"(?:^|[\s,{(.])(?:level|lvl|severity|log_?level)=[\"']?$", re.IGNORECASE)
_LETTER = re.compile(r"(?:[\d:.,/TZ+-]+\s+)*\[?([FCEWNIDV])(?:\d{4}\s|\s+[\[\w]|/\w|\])")


class _Fields(msgspec.Struct):
    """Where JSON loggers put the level."""

    level: Any = None
    severity: Any = None
    levelname: Any = None
    lvl: Any = None
    log_level: Any = msgspec.field(name="log.level", default=None)


_fields = msgspec.json.Decoder(_Fields)


def severities(lines: Sequence[str], default: str) -> list[tuple[str, str]]:
    """(severity, how it was found) of each line; `default` for a line that says nothing."""
    return [severity(line, default) for line in lines]


def severity(line: str, default: str = "info") -> tuple[str, str]:
    """(severity, how it was found) of one line."""
    if line.startswith("{"):
        try:
            return _from_fields(_fields.decode(line)) or (default, DEFAULT)
        except (msgspec.DecodeError, RecursionError):
            pass  # it only looks like JSON
    guess = None
    found = _WORD.search(line, 0, NEAR)
    while found:
        level = _LEVELS.get(found[0].lower())
        standing = _standing(line, found[0], found.start(), found.end()) if level else None
        if level and standing == STATED:
            return level, STATED
        if level and standing == GUESSED:
            guess = guess or (level, GUESSED)
        found = _WORD.search(line, found.end(), NEAR)
    letter = _LETTER.match(line)
    return (_LETTERS[letter[1]], STATED) if letter else guess or (default, DEFAULT)


def _standing(line: str, word: str, begin: int, end: int) -> str | None:
    """Whether a level's word is one where it stands: stated, guessed, or None."""
    is_grave = word.lower() in _GRAVE
    before = line[begin - 12 if begin > 12 else 0 : begin]
    if before.endswith(("=", '="', "='")):
        return STATED if _FIELD.search(before) else None
    if is_grave and _NEGATION.search(before):
        return None
    if word.isupper() or before.endswith(("[", "<", "|")) or line.startswith(("]", ">", "|", ":"), end):
        return STATED
    return GUESSED if is_grave else None


def _from_fields(fields: _Fields) -> tuple[str, str] | None:
    for value in (fields.level, fields.severity, fields.levelname, fields.lvl, fields.log_level):
        if isinstance(value, str):
            level = _LEVELS.get(value.lower()) or _NUMBERS.get(value)
        else:
            level = _NUMBERS.get(str(value)) if type(value) is int else None
        if level is not None:
            return level, STATED
    return None
