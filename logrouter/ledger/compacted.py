"""Folded sources: one small row for each source at rest, which says how far the source is decided.

The row identifies records that come again. New records restore the source. An id of the form that shippers mint is
stored in eight bytes.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

_MINTED = re.compile(r"[0-9a-f]{16}")


class Folded(NamedTuple):
    """A source at rest. Everything between `start` and `stop` counts as decided, gaps that were given up included.

    records: how many were decided.   late: windows out of order.   day: when it was folded, in days since 1970.
    """

    start: int
    stop: int
    records: int
    late: int
    day: int


def find(cursor: sqlite3.Cursor, source: str) -> Folded | None:
    """Return the row of a source, or None if the source is not at rest."""
    row = cursor.execute(
        "SELECT start, stop, records, late, day FROM folded WHERE source = ?", (key(source),)
    ).fetchone()
    return Folded(*row) if row else None


def put(cursor: sqlite3.Cursor, source: str, past: Folded) -> None:
    """Store the row of a source, replacing an older one."""
    cursor.execute("INSERT OR REPLACE INTO folded VALUES (?, ?, ?, ?, ?, ?)", (key(source), *past))


def touch(cursor: sqlite3.Cursor, source: str, day: int) -> None:
    """Count the time until a source is forgotten from `day` on, because a shipper still states the source."""
    cursor.execute("UPDATE folded SET day = ? WHERE source = ?", (day, key(source)))


def restore(cursor: sqlite3.Cursor, source: str, day: int) -> bool:
    """Restore a source, and report whether it was at rest.

    Its counts stay in the totals. Only their sum is restored, in the column `folded`.
    """
    past = find(cursor, source)
    if past is None:
        return False
    cursor.execute("DELETE FROM folded WHERE source = ?", (key(source),))
    cursor.execute("INSERT INTO ranges VALUES ('', ?, ?, ?, ?)", (source, past.start, past.stop, day))
    cursor.execute(
        "INSERT INTO sources (stage, source, late, folded) VALUES ('', ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET late = late + excluded.late, folded = folded + excluded.folded",
        (source, past.late, past.records),
    )
    return True


def key(source: str) -> str | bytes:
    """Return the key of a source in the table: eight bytes for a minted id, else the name itself."""
    return bytes.fromhex(source) if _MINTED.fullmatch(source) else source
