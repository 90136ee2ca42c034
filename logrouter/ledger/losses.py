"""What the broker lost: ranges of sources that were published and never came, each with its outcome.

A row is written when a range is found missing. It is deleted when the lines have come, and marked as gone when their
shipper can no longer read them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

ASKED, GONE, BEFORE = "asked", "gone", "before"
"""Outcomes: requested and not here yet; no longer readable by its shipper; older than the instance, never requested."""


@dataclass(frozen=True, slots=True)
class MissingRange:
    """Bytes `[start, end)` of a source that did not come. at: Unix time of the last change."""

    source: str
    start: int
    end: int
    outcome: str = ASKED
    at: float = 0.0


def write(cursor: sqlite3.Cursor, missing: Iterable[MissingRange]) -> None:
    """Store ranges. A row with the same source and start is replaced."""
    rows = [(each.source, each.start, each.end, each.outcome, each.at) for each in missing]
    cursor.executemany("INSERT OR REPLACE INTO missing VALUES (?, ?, ?, ?, 0, ?)", rows)  # `asked` is not used


def read(cursor: sqlite3.Cursor) -> list[MissingRange]:
    """Return all ranges, whatever their outcome."""
    rows = cursor.execute("SELECT source, start, stop, outcome, at FROM missing").fetchall()
    return [MissingRange(*row) for row in rows]


def heal(cursor: sqlite3.Cursor, sources: Iterable[str], records: int) -> None:
    """Delete the requested ranges of sources of which all have come, and count the records that came with them."""
    for source in sources:
        cursor.execute("DELETE FROM missing WHERE source = ? AND outcome = ?", (source, ASKED))
    if records:
        cursor.execute(
            "INSERT INTO healed VALUES (0, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records",
            (records,),
        )


def healed(cursor: sqlite3.Cursor, schema: str = "main") -> int:
    """Return the number of records that the broker lost and that came again."""
    row = cursor.execute(f"SELECT records FROM {schema}.healed").fetchone()  # noqa: S608  # our own names
    return int(row[0]) if row else 0


def gone(cursor: sqlite3.Cursor, schema: str = "main") -> int:
    """Return the number of bytes that the broker lost and that no shipper can read any more."""
    statement = f"SELECT coalesce(sum(stop - start), 0) FROM {schema}.missing WHERE outcome = ?"  # noqa: S608  # our own names
    return int(cursor.execute(statement, (GONE,)).fetchone()[0])


def forget(cursor: sqlite3.Cursor, source: str) -> None:
    """Delete all ranges of a source that is at rest or was dismissed."""
    cursor.execute("DELETE FROM missing WHERE source = ?", (source,))
