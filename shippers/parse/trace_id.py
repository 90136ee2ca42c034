"""Find the conversation that a line belongs to: the value of a field, or what a pattern finds. Pure.

A field is found by its name anywhere in JSON, logfmt or plain text, so that lines need not be parsed. All lines are
searched as one text, which costs almost nothing if no name occurs in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import re2

from logrouter.support.regex import compile_regex
from logrouter.wire.record import CONVERSATION

LONGEST = 128
"""Characters of a value; the rest is cut off."""

_TRACEPARENT = "traceparent"
_IS = r"\\?[\"']?(?:=|[ \t]{0,4}:[ \t]{0,4}|[ \t]{1,4}=[ \t]{0,4})\\?[\"']?"
_VALUE = re.compile(rf"{_IS}([\w.:/+@~=-]{{1,{LONGEST}}})")
_W3C_VALUE = re.compile(rf"{_IS}[0-9a-f]{{2}}-([0-9a-f]{{32}})-[0-9a-f]{{16}}")
_BEGINNING, _END = 5, 7
"""Letters to search for: the beginning of names that share it, and the end of all other names."""

_NONE = frozenset(("", "-", "null", "nil", "none", "undefined", "true", "false"))


@dataclass(frozen=True, slots=True)
class Conversation:
    """The rule that finds the conversation of a line.

    names: of fields; the first that a line has counts.   pattern: RE2, used in place of the names unless it is ''; its
    first group counts.
    """

    names: tuple[str, ...] = CONVERSATION
    pattern: str = ""

    def of(self, texts: Sequence[str]) -> dict[int, str]:
        """Return the conversation of each text that has one, by the index of the text."""
        return _by_pattern(texts, self.pattern) if self.pattern else _by_name(texts, self.names)


def _by_name(texts: Sequence[str], names: Sequence[str]) -> dict[int, str]:
    if not names:
        return {}
    found: dict[int, str] = {}
    joined = "\n".join(texts)
    content = joined.encode()
    if not any(hint.search(content) for hint in _hints(tuple(names))):
        return found
    ends: list[int] = []
    for name in names:
        at = joined.find(name)
        while at >= 0:
            value = _value(joined, name, at)
            if value:
                ends = ends or list(accumulate(len(text) + 1 for text in texts))
                found.setdefault(bisect_right(ends, at), value)
            at = joined.find(name, at + len(name))
    return found


BY_NAME = Conversation()
"""The default of an input."""


@lru_cache(maxsize=256)
def _hints(names: tuple[str, ...]) -> list[Any]:
    """Return what to search for first: fewer patterns than names, because RE2 finds a few literals fast."""
    beginnings = Counter(name[:_BEGINNING] for name in names)
    shared = {name[:_BEGINNING] if beginnings[name[:_BEGINNING]] > 1 else name[-_END:] for name in names}
    return [re2.compile(re2.escape(literal).encode()) for literal in sorted(shared)]


def _value(text: str, name: str, at: int) -> str | None:
    """Return the value of the name at index `at`; None if it has none."""
    before = text[at - 1] if at else " "
    if before == "_" or before.isalnum():
        return None
    found = (_W3C_VALUE if name.lower() == _TRACEPARENT else _VALUE).match(text, at + len(name))
    value = found[1].rstrip(".:") if found else ""
    return None if value.lower() in _NONE else value


_compiled = lru_cache(maxsize=256)(compile_regex)


def _by_pattern(texts: Sequence[str], pattern: str) -> dict[int, str]:
    search = _compiled(pattern).search
    matches = ((index, search(text)) for index, text in enumerate(texts))
    return {index: match[1][:LONGEST] for index, match in matches if match and match[1]}
