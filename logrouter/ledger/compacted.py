"""Sources that are at rest, folded away: of each no more than up to where it is decided.

What comes again of one is known by that, and what is new of one brings it back. Ids as shippers mint them take eight
bytes.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

_MINTED = re.compile(r"[0-9a-f]{16}")


class Folded(NamedTuple):
    """A source that is at rest. records: decided of it.   late: windows out of their order.   day: of the folding."""

    start: int
    stop: int
    records: int
    late: int
    day: int


def find(cursor: sqlite3.Cursor, source: str) -> Folded | None:
    """What is known of a source, if it is at rest."""
    row = cursor.execute(
        "SELECT start, stop, records, late, day FROM folded WHERE source = ?", (key(source),)
    ).fetchone()
    return Folded(*row) if row else None


def put(cursor: sqlite3.Cursor, source: str, past: Folded) -> None:
    """Note a source."""
    cursor.execute("INSERT OR REPLACE INTO folded VALUES (?, ?, ?, ?, ?, ?)", (key(source), *past))


def touch(cursor: sqlite3.Cursor, source: str, day: int) -> None:
    """Somebody still speaks of a source: remember it from that day on."""
    cursor.execute("UPDATE folded SET day = ? WHERE source = ?", (day, key(source)))


def restore(cursor: sqlite3.Cursor, source: str, day: int) -> bool:
    """Make a source what it was, but for its counts, which stay in the totals; whether it was at rest."""
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
    """What a source is kept under."""
    return bytes.fromhex(source) if _MINTED.fullmatch(source) else source
