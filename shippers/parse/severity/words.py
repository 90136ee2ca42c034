"""Decide whether a word in a line is a level: stated, guessed or none. Pure."""

from __future__ import annotations

import re
from string import ascii_letters, punctuation

from shippers.parse.facilities import FACILITIES
from shippers.parse.severity.levels import MYSQL, NAMES, POSTGRES, SHORT

STATED, GUESSED, DEFAULT = "stated", "guessed", "default"

_CAPITALS = [name.upper() for name in (*NAMES, *SHORT, *POSTGRES)]
_ALL = sorted({*NAMES, *_CAPITALS, *MYSQL}, reverse=True)
_OF_THREE = [word for word in (*_ALL, "Err") if len(word) == 3]

WORD = re.compile(
    "".join(f"[{''.join(sorted({word[place] for word in _ALL}))}]" for place in range(3))
    + rf"(?<![^\W\d]...)(?<![/\\-]...)"
    rf"(?:{'|'.join(word[3:] for word in _ALL if len(word) > 3)}|(?<={'|'.join(_OF_THREE)}))"
    r"[1-8]?(?![\w=\\(-]|\.\w)"
)
"""Finds levels as separate words, and a few other words. Searching for three sets of letters, and for the rest only
after them, is three times as fast as searching for alternatives."""

_KNOWN = frozenset((*NAMES, *SHORT, *POSTGRES))
BRACKETED = {form: level for name, level in NAMES.items() for form in (name, name.upper(), name.title())} | MYSQL
_MILD_SEVERITIES = ("notice", "info", "debug")
MILD = {name.upper(): level for name, level in NAMES.items() if level in _MILD_SEVERITIES}
_GRAVE = frozenset(("panic", "fatal", "critical", "error", "warning"))

_BEFORE = 40
"""Characters before a word that are examined."""

_NEGATED = re.compile(
    r"(?:^|[^\w.])(no|not|non|without|neither|zero|never|0) "
    r"(?:(?:an?|any|more|other|further|such|known|fatal|critical|errors?|warnings?|or|and|nor) ){0,4}$",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?: codes?| counts?| counter| rate)?(?: ?[:=] ?| )"
    r"(?:0|none|null|nil|false|no|no errors?|success)(?=\s*[,;)\]}\"']|\s*\.?$|\s+warn)"
    r'|["\'] ?[:=]',
    re.IGNORECASE,
)
"""The text after a word that counts zero, or that is a key."""

_COMPOUND = re.compile(
    r" (?:logs?|handlers?|handling|pages?|reporting|correction|detection|counts?|counters?|rates?|levels?)\b"
)
"""The text after a lowercase word that is part of a compound, such as `error log`."""

_FIELD = re.compile(
    r"(?:^|[\s,{(.;|])[\"']?(?:level|lvl|severity|log[._]?level|levelname)[\"']?[=:] ?[\"']?$", re.IGNORECASE
)
_FACILITY = re.compile(rf"(?:^|[\s<])(?:{'|'.join(FACILITIES)}) *[.:]$")
_OPEN = re.compile(
    r"(?:^|[^\w\s]|\d|\d(?:Z|UTC| UTC| GMT| ?[AP]M)|\bPHP|\bPHP (?:Fatal|Parse|\w+ fatal))\s*$", re.ASCII
)
"""The text before a level that a colon follows: not a word of a sentence."""

_LETTERS = frozenset(ascii_letters + "_")
_PUNCTUATION = frozenset(punctuation)

_TIMED = re.compile(
    r":(?<!\D:)\d\d(?:[.,]\d{1,9})?(?:Z|UTC| ?[AP]M|[+-]\d\d:?\d\d)?\]?\s+(?:\[?[\dA-F]{4,16} )?$", re.ASCII
)
"""A clock at the end. Because the pattern begins with a literal, the search is several times as fast."""

_BETWEEN = frozenset((("- ", " -"), ("| ", " |")))


def standing(line: str, word: str, begin: int, end: int) -> tuple[str | None, str | None]:
    """Return (how, severity) of the word at [begin, end). how: STATED, GUESSED, or None if it is not a level.

    A word that continues a message is stated without a severity, because it has none of its own.
    """
    previous = line[begin - 1 : begin]
    if word in MILD and previous in (" ", "[", "|"):
        return STATED, MILD[word]
    if previous and previous in "[:" and word in BRACKETED and line.startswith("]", end):
        return STATED, BRACKETED[word]
    name = word.lower().rstrip("12345678")
    if name not in _KNOWN:
        return None, None
    before = line[begin - _BEFORE if begin > _BEFORE else 0 : begin]
    level = NAMES.get(name)
    if level is None:
        return _standing_of_others(line, word, before, end)
    if previous and (
        (previous in "=\"':" and _FIELD.search(before)) or (previous in ".:" and _FACILITY.search(before))
    ):
        return STATED, level
    return _standing_of_name(line, word, before, end), level


def _standing_of_name(line: str, word: str, before: str, end: int) -> str | None:
    name = word.lower()
    if NAMES.get(name) not in _MILD_SEVERITIES and _is_negated(line, word, before, end):
        return None
    last = before[-1:]
    if line.startswith("/", end) or (last and (last in ".=\"'" or last.isalnum())):
        return STATED if word.isupper() and _is_level_glued(line, before, end) else None
    if word.isupper():
        return STATED
    if _COMPOUND.match(line, end):
        return None
    if _is_set_off(line, before, end):
        return STATED
    return GUESSED if name in _GRAVE else None


def _is_negated(line: str, word: str, before: str, end: int) -> bool:
    """Report whether a line says that there is none of what a grave word names."""
    negation = _negation(before)
    if negation and negation[1] == "0" and word.isupper():  # a level after a thread number, or a count
        return line[end : end + 1] in ("", ",", ".", ";", ")")
    return negation is not None or _NOTHING.match(line, end) is not None


def _negation(before: str) -> re.Match[str] | None:
    """Search for `_NEGATED` before a word. Skip the search after punctuation, which ends none of its words."""
    return None if before[-2:-1] in _PUNCTUATION else _NEGATED.search(before)


def _is_open(before: str) -> bool:
    """Report whether the text ends with `_OPEN`. Mostly it does not end with a letter, which needs no search."""
    return before.rstrip()[-1:] not in _LETTERS or _OPEN.search(before) is not None


def _is_level_glued(line: str, before: str, end: int) -> bool:
    """Report whether a word in capitals is a level although it touches another character."""
    last = before[-1:]
    if last and last in "\"'":
        return line.startswith(last, end) and not before.endswith(('="', "='"))
    if last == "=":  # an Erlang report; otherwise a field of another name
        return before == "="
    if line.startswith("/", end):  # Celery: the process follows
        return before.endswith(": ")
    return line.startswith(":", end)  # after the channel of Monolog or the line number of PostgreSQL


def _is_set_off(line: str, before: str, end: int) -> bool:
    """Report whether a lowercase word stands apart, as only a level does."""
    if before.endswith(("[", "<", "|")) or line.startswith(("]", ">", "|"), end):
        return True
    if line.startswith(":", end):
        return _is_open(before)
    return (before[-2:], line[end : end + 2]) in _BETWEEN or _TIMED.search(before) is not None


def _standing_of_others(line: str, word: str, before: str, end: int) -> tuple[str | None, str | None]:
    """Return (how, severity) of a word that is a level only in few places."""
    name = word.lower()
    level = SHORT.get(name)
    if level is None:
        is_postgres = name in POSTGRES and line.startswith(":  ", end)
        return (STATED if is_postgres else None), POSTGRES.get(name)
    is_bracketed = before.endswith("[") or line.startswith("]", end) or (not before and line.startswith("[", end))
    return (STATED if is_bracketed or _TIMED.search(before) else None), level
