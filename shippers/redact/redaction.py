"""Redacts the texts of an input before anything leaves the host, and counts the replacements by kind.

Presets are written in Python (`redact.sensitive`). Patterns of users are RE2's, whose time is linear in the text.
Redaction is deterministic: a text that is read again is redacted in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any

from logrouter.observability.metrics import REDACTED
from logrouter.support.regex import compile_regex
from shippers.redact.sensitive import PRESETS, Finder, Span

OWN = "pattern"
"""The kind under which the finds of users' patterns are counted."""

_STEPS = 1 << 28
_LEAST_FINDS = 1000
"""The least limit of finds in a text. The limit is `_STEPS` divided by the length of the text.

It exists because one search is linear in the text, but many searches in one text need not be.
"""


@dataclass(frozen=True, slots=True)
class Own:
    """A user's pattern in RE2 syntax. The match of its first group is replaced, or the whole match if it has none."""

    pattern: str
    replacement: str = "[redacted]"


Kind = str | Own
"""The name of a preset, or a pattern."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """The redaction of an input."""

    kinds: tuple[Kind, ...]

    def text(self, text: str, *, counted: bool = False) -> str:
        """Return the text with every find replaced; the same object if there is none."""
        for step in _steps(self.kinds):
            text, finds = step.replace(text)
            if finds and counted:
                REDACTED.labels(step.kind).inc(finds)
        return text

    def texts(self, texts: Sequence[str]) -> dict[int, str]:
        """Redact many texts and count the finds. Return only the texts that changed, by index.

        Presets search all texts as one, which is far faster. They can, because their finds never span a newline.
        """
        joined = "\n".join(texts)
        found, now = False, list(texts)
        for step in _steps(self.kinds):
            if step.is_own:
                finds = step.replace_each(now) if step.may_find(joined) else 0
                joined = "\n".join(now) if finds else joined
            else:
                joined, finds = step.replace(joined)
                now = _split(joined, now) if finds else now
            if finds:
                REDACTED.labels(step.kind).inc(finds)
                found = True
        return {index: text for index, text in enumerate(now) if text != texts[index]} if found else {}

    def without(self, kind: Kind) -> Redaction:
        """Return this redaction without one kind."""
        return Redaction(tuple(each for each in self.kinds if each != kind))


def _split(joined: str, texts: Sequence[str]) -> list[str]:
    """Split joined texts again. Each gets as many lines as the text of the same index in `texts`."""
    lines = joined.split("\n")
    if len(lines) == len(texts):
        return lines
    ends = list(accumulate(text.count("\n") + 1 for text in texts))
    return ["\n".join(lines[begin:end]) for begin, end in pairwise([0, *ends])]


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind, ready to search. pattern: a user's, which is searched in each text separately; '' for a preset."""

    kind: str
    replacement: str
    find: Finder
    pattern: str = ""

    @property
    def is_own(self) -> bool:
        """Whether this is a user's pattern."""
        return bool(self.pattern)

    def may_find(self, joined: str) -> bool:
        """Report whether the pattern may match in any of the texts, by one search of all texts where possible."""
        anywhere = _anywhere(self.pattern)
        return anywhere is None or anywhere.search(joined) is not None

    def replace(self, text: str) -> tuple[str, int]:
        """Return the text with all finds replaced, and the number of replacements."""
        pieces, done = [], 0
        for begin, end in self.find(text):
            if text[begin:end] != self.replacement:
                pieces += [text[done:begin], self.replacement]
                done = end
        if not pieces:
            return text, 0
        return "".join([*pieces, text[done:]]), len(pieces) // 2

    def replace_each(self, texts: list[str]) -> int:
        """Replace the finds in each of these texts, in place. Return the number of replacements."""
        total = 0
        for index, text in enumerate(texts):
            texts[index], finds = self.replace(text)
            total += finds
        return total


@lru_cache(maxsize=256)
def _steps(kinds: tuple[Kind, ...]) -> tuple[_Step, ...]:
    """Return the steps, users' patterns first: they were written for the original text."""
    own = [
        _Step(OWN, kind.replacement, partial(_finds, kind.pattern), kind.pattern)
        for kind in kinds
        if isinstance(kind, Own)
    ]
    presets = [_Step(name, text, find) for name, (find, text) in PRESETS.items() if name in kinds]
    return (*own, *presets)


_compiled = lru_cache(maxsize=256)(compile_regex)


_SWITCHES = re.compile(r"-[a-zA-Z]*m")
"""Flags such as `(?-m)`, which may make `^` and `$` match only at the ends of the text."""


@lru_cache(maxsize=256)
def _anywhere(pattern: str) -> Any:
    r"""Return a pattern that matches in joined texts wherever `pattern` matches in one of them; None if there is none.

    There is none for patterns that may tell the ends of the text from those of a line, or that contain `\Q`: an unended
    one would quote the closing parenthesis.
    """
    if any(syntax in pattern for syntax in (r"\A", r"\z", r"\Q")) or _SWITCHES.search(pattern):
        return None
    return compile_regex(f"(?m:{pattern})")


def _finds(pattern: str, text: str) -> Iterator[Span]:
    """Yield the spans that a pattern finds. At the limit of finds, yield the whole rest of the text as one find."""
    compiled = _compiled(pattern)
    group = 1 if compiled.groups else 0
    most = max(_LEAST_FINDS, _STEPS // (len(text) or 1))
    for number, found in enumerate(compiled.finditer(text)):
        if number == most:
            yield found.start(), len(text)
            return
        begin, end = found.span(group)
        if begin < end:
            yield begin, end
