"""The decided ranges of each source in the ledger: a row for each range, so that a commit costs only what it changes.

A new range and the rows that it touches become one row. A new range of a folded source restores the source.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from logrouter.ledger import compacted as folded
from logrouter.ledger.entry import INGRESS, LIFE
from logrouter.wire.ranges import Ranges

GATHERED = 1000
"""Ranges kept of a source at a destination, the last ones. Only some records go to a destination, so their ranges never
close up. Older ranges can go because redelivered records come soon."""


def read(cursor: sqlite3.Cursor, stage: str, source: str) -> Ranges:
    """Return what is decided of a source at a stage. It is empty for an unknown source."""
    # one query, because between two another thread may fold or restore the source
    return Ranges(
        cursor.execute(
            "SELECT start, stop FROM ranges WHERE stage = ? AND source = ? UNION ALL"
            " SELECT start, stop FROM folded WHERE ? AND source = ? ORDER BY start",
            (stage, source, stage == INGRESS, folded.key(source)),
        )
    )


def read_lives(cursor: sqlite3.Cursor, source: str) -> Ranges:
    """Return what is decided of a source under its own name and under those from other lives of its state directory."""
    found = read(cursor, INGRESS, source)
    names = cursor.execute(
        "SELECT source FROM ranges WHERE stage = ?1 AND source > ?2 AND source < ?3"
        " UNION SELECT source FROM folded WHERE source > ?2 AND source < ?3",
        (INGRESS, f"{source}{LIFE}", f"{source}{chr(ord(LIFE) + 1)}"),
    )
    for (name,) in names.fetchall():
        for start, stop in read(cursor, INGRESS, name):
            found.add(start, stop)
    return found


def add(cursor: sqlite3.Cursor, stage: str, source: str, ranges: Iterable[tuple[int, int]], day: int) -> None:
    """Add ranges that were decided on `day` (days since 1970), and restore the source if it is folded."""
    for start, stop in ranges:
        near = _near(cursor, stage, source, start, stop)
        if not near and stage == INGRESS and folded.restore(cursor, source, day):
            near = _near(cursor, stage, source, start, stop)
        _join(cursor, (stage, source), (start, stop), near, day)
    if stage != INGRESS:
        cursor.execute(
            "DELETE FROM ranges WHERE stage = ?1 AND source = ?2 AND start <"
            " (SELECT start FROM ranges WHERE stage = ?1 AND source = ?2 ORDER BY start DESC LIMIT 1 OFFSET ?3)",
            (stage, source, GATHERED - 1),
        )


def _near(cursor: sqlite3.Cursor, stage: str, source: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the rows that overlap or adjoin a range, the last first."""
    found = []
    for row in cursor.execute(
        "SELECT start, stop FROM ranges WHERE stage = ? AND source = ? AND start <= ? ORDER BY start DESC",
        (stage, source, stop),
    ):
        if row[1] < start:
            break
        found.append(row)
    return found


def _join(
    cursor: sqlite3.Cursor, its: tuple[str, str], added: tuple[int, int], near: list[tuple[int, int]], day: int
) -> None:
    """Merge a range and the rows near it into one row. its: stage and source."""
    start, stop = added
    if near:
        start, stop = min(start, near[-1][0]), max(stop, near[0][1])
    if len(near) == 1 and near[0][0] == start:
        cursor.execute(
            "UPDATE ranges SET stop = ?, day = ? WHERE stage = ? AND source = ? AND start = ?",
            (stop, day, *its, start),
        )
        return
    if near:
        cursor.execute(
            "DELETE FROM ranges WHERE stage = ? AND source = ? AND start BETWEEN ? AND ?", (*its, start, stop)
        )
    cursor.execute("INSERT INTO ranges VALUES (?, ?, ?, ?, ?)", (*its, start, stop, day))
