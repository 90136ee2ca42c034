"""A word in a line -> whether it is a level where it stands: stated, guessed or none. Pure."""

from __future__ import annotations

import re

from shippers.parsing.levels import MYSQL, NAMES, POSTGRES, SHORT
from shippers.parsing.syslog import FACILITIES

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
"""Finds levels as words of their own, and a few words that are none: a search for three sets of letters, and for the
rest only then, is three times as fast as one for alternatives."""

_BRACKETED = {form: level for name, level in NAMES.items() for form in (name, name.upper(), name.title())} | MYSQL
_MILD = {name.upper(): level for name, level in NAMES.items() if level in ("notice", "info", "debug")}
_GRAVE = frozenset(("panic", "fatal", "critical", "error", "warning"))

_BEFORE = 40
"""Characters before a word that tell what it is."""

_NEGATED = re.compile(
    r"(?:^|[^\w.])(?:no|not|non|without|zero|never|0) "
    r"(?:(?:an?|any|more|other|further|fatal|critical|such|known) ){0,2}$",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?: codes?| counts?| counter| rate)?(?: ?[:=] ?| )"
    r"(?:0|none|null|nil|false|no)(?=\s*[,;)\]}\"']|\s*\.?$|\s+warning)"
    r"| (?:logs?|handlers?|handling|pages?|reporting|correction|detection|counts?|counters?|rates?|levels?)\b"
    r'|["\'] ?[:=]',
    re.IGNORECASE,
)
"""What makes a grave word a count of nothing, a thing that is named for errors, or a key."""

_FIELD = re.compile(
    r"(?:^|[\s,{(.;|])[\"']?(?:level|lvl|severity|log[._]?level|levelname)[\"']?[=:] ?[\"']?$", re.IGNORECASE
)
_FACILITY = re.compile(rf"(?:^|[\s<])(?:{'|'.join(FACILITIES)}) *[.:]$")
_OPEN = re.compile(
    r"(?:^|[^\w\s]|\d|\d(?:Z|UTC| UTC| GMT| ?[AP]M)|\bPHP|\bPHP (?:Fatal|Parse|\w+ fatal))\s*$", re.ASCII
)
"""What a level before a colon follows: no word of a sentence."""

_TIMED = re.compile(
    r"(?:^|\d):\d\d(?:[.,]\d{1,9})?(?:Z|UTC| ?[AP]M|[+-]\d\d:?\d\d)?\]?\s+(?:\[?[\dA-F]{4,16} )?$", re.ASCII
)
_BETWEEN = frozenset((("- ", " -"), ("| ", " |")))


def standing(line: str, word: str, begin: int, end: int) -> tuple[str | None, str | None]:
    """Whether the word at [begin, end) is a level (stated, guessed or None), and its severity.

    Stated without a severity is what continues a message: it has none of its own.
    """
    previous = line[begin - 1 : begin]
    if word in _MILD and previous in (" ", "[", "|"):
        return STATED, _MILD[word]
    if previous and previous in "[:" and word in _BRACKETED and line.startswith("]", end):
        return STATED, _BRACKETED[word]
    name = word.lower().rstrip("12345678")
    before = line[begin - _BEFORE if begin > _BEFORE else 0 : begin]
    level = NAMES.get(name)
    if level is None:
        return _standing_of_others(line, word, before, end)
    if previous and previous in "=\"'.:" and (_FIELD.search(before) or _FACILITY.search(before)):
        return STATED, level
    return _standing_of_name(line, word, before, end), level


def _standing_of_name(line: str, word: str, before: str, end: int) -> str | None:
    is_upper = word.isupper()
    last = before[-1:]
    if last == "." or last.isalnum():  # the channel of Monolog, the number of a PostgreSQL line
        return STATED if is_upper and line.startswith(":", end) else None
    if before.endswith(("=", '="', "='")):  # a field of another name, or an Erlang report
        return STATED if is_upper and before == "=" else None
    is_grave = word.lower() in _GRAVE
    if is_grave and (_NEGATED.search(before) or _NOTHING.match(line, end)):
        return None
    if line.startswith("/", end):  # Celery: the process
        return STATED if is_upper and before.endswith(": ") else None
    is_quoted = bool(last) and last in "\"'"
    if is_upper or (not is_quoted and _is_set_off(line, before, end)):
        return STATED
    return GUESSED if is_grave and not is_quoted else None


def _is_set_off(line: str, before: str, end: int) -> bool:
    """Whether a word in small letters stands apart, as only a level does."""
    if before.endswith(("[", "<", "|")) or line.startswith(("]", ">", "|"), end):
        return True
    if line.startswith(":", end):
        return _OPEN.search(before) is not None
    return (before[-2:], line[end : end + 2]) in _BETWEEN or _TIMED.search(before) is not None


def _standing_of_others(line: str, word: str, before: str, end: int) -> tuple[str | None, str | None]:
    """The same of words that are levels only in few places."""
    name = word.lower()
    level = SHORT.get(name)
    if level is None:
        is_postgres = word.isupper() and name in POSTGRES and line.startswith(":  ", end)
        return (STATED if is_postgres else None), POSTGRES.get(name)
    is_bracketed = before.endswith("[") or line.startswith("]", end) or (not before and line.startswith("[", end))
    return (STATED if is_bracketed or _TIMED.search(before) else None), level
