"""Mistakes in configuration files: each has a place and a remedy, and all are reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logrouter.errors import UserError

_MOST, _SHOWN = 200, 250
"""Mistakes that are shown at once, and characters that are shown at either end of a long one."""

RE2_REMEDY = "use the syntax of RE2, which has no look-around and no back-references"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file. line, column: from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """A problem, its place, and what to write instead."""

    place: Location
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The problem, and below it the remedy if there is one."""
        problem = f"{self.place}: {_short(self.problem)}"
        return [problem, *([f"    {_short(self.remedy)}"] if self.remedy else [])]

    @property
    def sentence(self) -> str:
        """The problem and the remedy on one line."""
        return "; ".join(map(str.strip, self.lines))


def _short(text: str) -> str:
    """Leave out the middle: a message may quote a value of a megabyte."""
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}...{text[-_SHOWN:]}"


class ConfigError(UserError):
    """All mistakes that were found, sorted by file, line and column."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """The number of mistakes, and then the mistakes."""
        shown = [line for mistake in self.mistakes[:_MOST] for line in mistake.lines]
        more = [f"and {len(self.mistakes) - _MOST} more"] if len(self.mistakes) > _MOST else []
        return [f"{self.count}; nothing was started", *shown, *more]

    @property
    def count(self) -> str:
        """The number of mistakes, as a phrase."""
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        return f"{count} in the configuration"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the closest of the known words, or all of them if none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"write one of {', '.join(f'`{name}`' for name in names)}"
