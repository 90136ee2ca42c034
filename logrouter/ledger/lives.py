"""The lives of state directories that an instance has met, by which it recognises a copy of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

KEPT_DAYS = 400
"""Days after which a life that has a successor is forgotten. An older copy of its state is then not recognised."""


@dataclass(frozen=True, slots=True)
class Life:
    """A session of a shipper as far as it is known, or the part of one that continued after its successor was met.

    branch: the end of its sources' names, '' for the main branch.   lease: the highest that was met.
    succeeded: the lease at which its successor on the same branch began, -1 if none.
    """

    branch: str
    lease: int
    succeeded: int = -1

    @property
    def is_tip(self) -> bool:
        """Whether it has no successor on its branch yet."""
        return self.succeeded < 0


def write(cursor: sqlite3.Cursor, lives: Mapping[str, Life], day: int) -> None:
    """Store lives by name. day: today, in days since 1970."""
    rows = [(name, life.branch, life.lease, life.succeeded, day) for name, life in lives.items()]
    cursor.executemany("INSERT OR REPLACE INTO lives VALUES (?, ?, ?, ?, ?)", rows)


def read(cursor: sqlite3.Cursor, name: str) -> Life | None:
    """Return the life of that name, or None."""
    row = cursor.execute("SELECT branch, lease, succeeded FROM lives WHERE name = ?", (name,)).fetchone()
    return Life(*row) if row else None


def forks(cursor: sqlite3.Cursor, schema: str = "main") -> tuple[str, ...]:
    """Return the branches other than the main one."""
    found = cursor.execute(f"SELECT DISTINCT branch FROM {schema}.lives WHERE branch != ''").fetchall()  # noqa: S608  # our own names
    return tuple(branch for (branch,) in found)


def forget(cursor: sqlite3.Cursor, day: int) -> None:
    """Delete the lives that have a successor and were last stored before `day`."""
    cursor.execute("DELETE FROM lives WHERE succeeded >= 0 AND day < ?", (day,))
