"""Mistakes in configuration files: each with its place and a remedy, all of them reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logrouter.errors import UserError

_TOLD, _SHOWN = 200, 250
"""Mistakes that are told at once, and characters at either end of one."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where something stands in a file; line and column count from 1, 0 where the file as a whole is meant."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong, where, and what to do about it."""

    place: Location
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """For people: what is wrong, and below it the remedy."""
        told = f"{self.place}: {_short(self.problem)}"
        return [told, *([f"    {_short(self.remedy)}"] if self.remedy else [])]

    @property
    def sentence(self) -> str:
        """The same on one line."""
        return "; ".join(map(str.strip, self.lines))


def _short(text: str) -> str:
    """Whoever writes a value of a megabyte need not read it."""
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}...{text[-_SHOWN:]}"


class ConfigError(UserError):
    """Every mistake that was found, in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """All of them, below a line that says how many."""
        told = [line for mistake in self.mistakes[:_TOLD] for line in mistake.lines]
        more = [f"and {len(self.mistakes) - _TOLD} more"] if len(self.mistakes) > _TOLD else []
        return [f"{self.count}; nothing was started", *told, *more]

    @property
    def count(self) -> str:
        """How many there are."""
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        return f"{count} in the configuration"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the closest of the known words, or all of them if none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(f'`{name}`' for name in names)}"
