"""What the broker lost: ranges of sources that were published and never came, and what has become of each.

A row begins when a range is found missing, and ends as healed when its lines have come, or as gone when its shipper
cannot read them any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

ASKED, GONE, BEFORE = "asked", "gone", "before"
"""Outcomes: not had yet; not to be had any more; of a time before this instance, which never asks for it."""


@dataclass(frozen=True, slots=True)
class MissingRange:
    """Bytes `[start, end)` of a source that did not come. at: Unix time of the last change."""

    source: str
    start: int
    end: int
    outcome: str = ASKED
    at: float = 0.0


def write(cursor: sqlite3.Cursor, missing: Iterable[MissingRange]) -> None:
    """Keep these; one of the same source and start is replaced."""
    rows = [(each.source, each.start, each.end, each.outcome, each.at) for each in missing]
    cursor.executemany("INSERT OR REPLACE INTO missing VALUES (?, ?, ?, ?, 0, ?)", rows)  # the count is not in use


def read(cursor: sqlite3.Cursor) -> list[MissingRange]:
    """All that there are."""
    rows = cursor.execute("SELECT source, start, stop, outcome, at FROM missing").fetchall()
    return [MissingRange(*row) for row in rows]


def heal(cursor: sqlite3.Cursor, sources: Iterable[str], records: int) -> None:
    """Drop the ranges of these sources that have come, wholly; count the records that came with them."""
    for source in sources:
        cursor.execute("DELETE FROM missing WHERE source = ? AND outcome = ?", (source, ASKED))
    if records:
        cursor.execute(
            "INSERT INTO healed VALUES (0, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records",
            (records,),
        )


def healed(cursor: sqlite3.Cursor, schema: str = "main") -> int:
    """Records that the broker had lost and that came again."""
    row = cursor.execute(f"SELECT records FROM {schema}.healed").fetchone()  # noqa: S608  # our own names
    return int(row[0]) if row else 0


def gone(cursor: sqlite3.Cursor, schema: str = "main") -> int:
    """Bytes that the broker lost and that nobody can read any more."""
    statement = f"SELECT coalesce(sum(stop - start), 0) FROM {schema}.missing WHERE outcome = ?"  # noqa: S608  # our own names
    return int(cursor.execute(statement, (GONE,)).fetchone()[0])


def forget(cursor: sqlite3.Cursor, source: str) -> None:
    """Nothing of this source is missing any more, for it is at rest or was dismissed."""
    cursor.execute("DELETE FROM missing WHERE source = ?", (source,))
