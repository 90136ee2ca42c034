"""The lives of state directories that an instance has met, so that a copy of one is known when it comes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

KEPT_DAYS = 400
"""After which a life that has a successor is forgotten: an older copy of its state is not known as one any more."""


@dataclass(frozen=True, slots=True)
class Life:
    """A session of a shipper, or the part of one that went on after its successor was met, as far as it is known.

    branch: '' or what the names of its sources end in.   lease: the highest that was met.
    succeeded: the lease at which its successor on the same branch began, -1 for none.
    """

    branch: str
    lease: int
    succeeded: int = -1

    @property
    def is_tip(self) -> bool:
        """Whether nothing on its branch has followed it yet."""
        return self.succeeded < 0


def write(cursor: sqlite3.Cursor, lives: Mapping[str, Life], day: int) -> None:
    """Keep these, by name. day: since 1970."""
    rows = [(name, life.branch, life.lease, life.succeeded, day) for name, life in lives.items()]
    cursor.executemany("INSERT OR REPLACE INTO lives VALUES (?, ?, ?, ?, ?)", rows)


def read(cursor: sqlite3.Cursor, name: str) -> Life | None:
    """The life of that name."""
    row = cursor.execute("SELECT branch, lease, succeeded FROM lives WHERE name = ?", (name,)).fetchone()
    return Life(*row) if row else None


def forks(cursor: sqlite3.Cursor, schema: str = "main") -> tuple[str, ...]:
    """The branches beside the main one."""
    found = cursor.execute(f"SELECT DISTINCT branch FROM {schema}.lives WHERE branch != ''").fetchall()  # noqa: S608  # our own names
    return tuple(branch for (branch,) in found)


def forget(cursor: sqlite3.Cursor, day: int) -> None:
    """Drop those that have had a successor since before that day."""
    cursor.execute("DELETE FROM lives WHERE succeeded >= 0 AND day < ?", (day,))
