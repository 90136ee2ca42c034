"""What an audit finds wrong: counted by kind, the first few at hand, and all of them on disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

MISSING, TWICE, ALTERED, DISORDERED, UNRESOLVED = "missing", "twice", "altered", "out of order", "unresolved"

_AT_HAND = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. amount: records, or bytes where only positions are known."""

    kind: str
    amount: int
    text: str


class Findings:
    """All findings, in a table of the audit's own database. first: a few of them."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self._amounts = Counter[str]()
        self._count = 0
        self.first: list[Finding] = []
        scratch.execute("CREATE TABLE findings (kind TEXT, amount TEXT, text TEXT)")

    def add(self, finding: Finding) -> None:
        """Note one."""
        self._amounts[finding.kind] += finding.amount
        self._count += 1
        if len(self.first) < _AT_HAND:
            self.first.append(finding)
        values = (finding.kind, str(finding.amount), finding.text)
        self._scratch.execute("INSERT INTO findings VALUES (?, ?, ?)", values)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Finding]:
        for kind, amount, text in self._scratch.execute("SELECT kind, amount, text FROM findings ORDER BY rowid"):
            yield Finding(kind, int(amount), text)

    def amount(self, kind: str) -> int:
        """How much of a kind there is."""
        return self._amounts[kind]

    @property
    def status(self) -> int:
        """The exit status: 0 whole, 1 something is wrong, 3 it cannot be said yet."""
        return 1 if self._amounts.keys() - {UNRESOLVED} else 3 if self._amounts else 0
