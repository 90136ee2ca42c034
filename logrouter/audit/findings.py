"""The findings of an audit: counted by kind, the first few in memory, and all of them on disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

MISSING, TWICE, ALTERED, DISORDERED, UNRESOLVED = "missing", "twice", "altered", "out of order", "unresolved"

_IN_MEMORY = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or unresolved. amount: records, or bytes if only positions are known."""

    kind: str
    amount: int
    text: str


class Findings:
    """All findings, in a table of the audit's own database. first: the first few of them."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self._amounts = Counter[str]()
        self._count = 0
        self.first: list[Finding] = []
        scratch.execute("CREATE TABLE findings (kind TEXT, amount TEXT, text TEXT)")

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self._amounts[finding.kind] += finding.amount
        self._count += 1
        if len(self.first) < _IN_MEMORY:
            self.first.append(finding)
        values = (finding.kind, str(finding.amount), finding.text)
        self._scratch.execute("INSERT INTO findings VALUES (?, ?, ?)", values)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Finding]:
        for kind, amount, text in self._scratch.execute("SELECT kind, amount, text FROM findings ORDER BY rowid"):
            yield Finding(kind, int(amount), text)

    def amount(self, kind: str) -> int:
        """Return the sum of the amounts of a kind."""
        return self._amounts[kind]

    @property
    def status(self) -> int:
        """The exit status: 0 if all is accounted for, 1 if something is wrong, 3 if that cannot be known yet."""
        return 1 if self._amounts.keys() - {UNRESOLVED} else 3 if self._amounts else 0
