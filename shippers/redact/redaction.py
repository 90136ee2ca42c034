"""What an input is told to make unreadable, before anything leaves the host.

In come texts, out come the same with every find replaced, and what was replaced is counted by kind. Presets are
written here in Python (`parsing.sensitive`); patterns of one's own are RE2's, whose time is linear in the text. It is
deterministic: what is read again is redacted alike.
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
"""What patterns of one's own are counted as."""

_STEPS = 1 << 28
_LEAST_FINDS = 1000
"""A search is linear, many of them in one text need not be: of a long text so many finds are looked for, or 1,000."""


@dataclass(frozen=True, slots=True)
class Own:
    """A pattern, in RE2's syntax: what its first group finds is replaced, or all that it finds if it has none."""

    pattern: str
    replacement: str = "[redacted]"


Kind = str | Own
"""The name of a preset, or a pattern."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is to be redacted."""

    kinds: tuple[Kind, ...]

    def text(self, text: str, *, counted: bool = False) -> str:
        """The text with every find replaced; the very same object if there is none."""
        for step in _steps(self.kinds):
            text, finds = step.replace(text)
            if finds and counted:
                REDACTED.labels(step.kind).inc(finds)
        return text

    def texts(self, texts: Sequence[str]) -> dict[int, str]:
        """Those of many texts in which there was something, redacted and counted, by their index.

        Presets look at all texts as one, which is far faster: what they find never spans a newline.
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
        """The same without one kind."""
        return Redaction(tuple(each for each in self.kinds if each != kind))


def _split(joined: str, texts: Sequence[str]) -> list[str]:
    """Joined texts apart again, each of as many lines as it was."""
    lines = joined.split("\n")
    if len(lines) == len(texts):
        return lines
    ends = list(accumulate(text.count("\n") + 1 for text in texts))
    return ["\n".join(lines[begin:end]) for begin, end in pairwise([0, *ends])]


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind at work. pattern: of one's own; such are held against each text by itself."""

    kind: str
    replacement: str
    find: Finder
    pattern: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is no preset."""
        return bool(self.pattern)

    def may_find(self, joined: str) -> bool:
        """Whether there may be a find in any of the texts: an answer for all of them at once, if there is one."""
        anywhere = _anywhere(self.pattern)
        return anywhere is None or anywhere.search(joined) is not None

    def replace(self, text: str) -> tuple[str, int]:
        """The text with what is found replaced, and how often that was."""
        pieces, done = [], 0
        for begin, end in self.find(text):
            if text[begin:end] != self.replacement:
                pieces += [text[done:begin], self.replacement]
                done = end
        if not pieces:
            return text, 0
        return "".join([*pieces, text[done:]]), len(pieces) // 2

    def replace_each(self, texts: list[str]) -> int:
        """The same in each of these, in place."""
        total = 0
        for index, text in enumerate(texts):
            texts[index], finds = self.replace(text)
            total += finds
        return total


@lru_cache(maxsize=256)
def _steps(kinds: tuple[Kind, ...]) -> tuple[_Step, ...]:
    """Patterns of one's own first: they were written for the text as it is."""
    own = [
        _Step(OWN, kind.replacement, partial(_finds, kind.pattern), kind.pattern)
        for kind in kinds
        if isinstance(kind, Own)
    ]
    presets = [_Step(name, text, find) for name, (find, text) in PRESETS.items() if name in kinds]
    return (*own, *presets)


_compiled = lru_cache(maxsize=256)(compile_regex)


_SWITCHES = re.compile(r"-[a-zA-Z]*m")
"""What may switch off that `^` and `$` are those of each line."""


@lru_cache(maxsize=256)
def _anywhere(pattern: str) -> Any:
    """A pattern that is found in joined texts wherever the given one is found in one of them; None if there is none."""
    if any(telling in pattern for telling in (r"\A", r"\z", r"\Q")) or _SWITCHES.search(pattern):
        return None
    return compile_regex(f"(?m:{pattern})")


def _finds(pattern: str, text: str) -> Iterator[Span]:
    """What a pattern finds. Where that is too often for a long text, all behind it counts as found."""
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
