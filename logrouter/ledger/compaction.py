"""Compaction of the ledger: sources at rest become totals, so that its size follows live sources and not history.

A step does a bounded amount of work, and successive steps go round all tables. The sums that an audit sees do not
change, because it adds the live rows to the folded ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from logrouter.ledger import compacted as folded
from logrouter.ledger import losses, owners, source_status
from logrouter.ledger.compacted import Folded
from logrouter.ledger.entry import DAY, INGRESS
from logrouter.ledger.statements import REMEMBERED, fold_processes, tally
from logrouter.wire.slices import FOREIGN

FORGOTTEN = 365
"""Days after which a folded source is forgotten. A source that lacks something is folded after as many days, and
what it lacks is then counted as given up."""

NAMED = 100
"""Days after which totals lose service and host and keep only day and destination."""

AT_ONCE = 250
"""Rows of each table that one step looks at."""

_MOST_PROCESSES = 20_000
"""Processes whose statements are kept."""


class _Lap:
    """A round over the rows of a table in the order of its key. After the last row it begins again."""

    def __init__(self, table: str, key: str, columns: str, where: str = "true") -> None:
        size = key.count(",") + 1
        marks = ", ".join("?" * size)
        self._query = (
            f"SELECT {key}, {columns} FROM {table}"  # noqa: S608  # our own names
            f" WHERE {where} AND ({key}) > ({marks}) ORDER BY {key} LIMIT {AT_ONCE}"
        )
        self._first = self._after = ("",) * size

    def rows(self, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        """Return the next AT_ONCE rows at most, the key columns first."""
        rows = cursor.execute(self._query, self._after).fetchall()
        self._after = rows[-1][: len(self._first)] if len(rows) == AT_ONCE else self._first
        return rows


class Folding:
    """The compaction of one ledger: it remembers how far the round over each table is."""

    def __init__(self) -> None:
        self._ranges = _Lap("ranges", "stage, source, start", "day")
        self._sources = _Lap("sources", "stage, source", "repeated, late, dismissed, day")
        self._stated = _Lap("stated", "source", "at, start, confirmed")
        self._past = _Lap("folded", "source", "day")
        self._foreign = _Lap("counts", "source, destination, day, service, host", "records", f"source = '{FOREIGN}'")

    def step(self, cursor: sqlite3.Cursor, today: int) -> None:
        """Do one step in the transaction of `cursor`. today: days since 1970."""
        self._fold_ranges(cursor, today)
        self._fold_foreign(cursor, today)
        self._drop_orphans(cursor, today)
        self._drop_stated(cursor, today)
        self._forget(cursor, today)
        _fold_files(cursor)
        _fold_processes(cursor, today)
        _fold_names(cursor, today)

    def _fold_ranges(self, cursor: sqlite3.Cursor, today: int) -> None:
        at_rest = [row for row in self._ranges.rows(cursor) if row[3] <= today - REMEMBERED]
        cursor.executemany(
            "DELETE FROM ranges WHERE stage = ? AND source = ? AND start = ?",
            [row[:3] for row in at_rest if row[0] != INGRESS],
        )
        for source in dict.fromkeys(row[1] for row in at_rest if row[0] == INGRESS):
            _fold_source(cursor, source, today)

    def _fold_foreign(self, cursor: sqlite3.Cursor, today: int) -> None:
        """Move old counts of foreign records to the totals. Such records have no source, so their age decides."""
        limit = _iso(today - REMEMBERED)
        old = [row for row in self._foreign.rows(cursor) if row[2] < limit]
        _add_totals(cursor, ((day, destination, *names) for _, destination, day, *names in old))
        cursor.executemany(
            "DELETE FROM counts WHERE source = ? AND destination = ? AND day = ? AND service = ? AND host = ?",
            [row[:5] for row in old],
        )

    def _drop_orphans(self, cursor: sqlite3.Cursor, today: int) -> None:
        """Delete what `sources` holds of sources without ranges or statements. Dismissals stay for REMEMBERED days."""
        for stage, source, repeated, late, dismissed, day in self._sources.rows(cursor):
            if (dismissed and day > today - REMEMBERED) or cursor.execute(
                "SELECT 1 FROM ranges WHERE stage = ?1 AND source = ?2 UNION ALL"
                " SELECT 1 FROM stated WHERE source = ?2 LIMIT 1",
                (stage, source),
            ).fetchone():
                continue
            _drop_source(cursor, stage, source, repeated, late)

    def _drop_stated(self, cursor: sqlite3.Cursor, today: int) -> None:
        """Delete statements of sources without ranges: after FORGOTTEN days, or REMEMBERED if nothing was confirmed."""
        for source, at, start, confirmed in self._stated.rows(cursor):
            limit = today - (REMEMBERED if confirmed == start else FORGOTTEN)
            if (
                at >= limit * DAY
                or cursor.execute("SELECT 1 FROM ranges WHERE stage = ? AND source = ?", (INGRESS, source)).fetchone()
            ):
                continue
            cursor.execute("DELETE FROM stated WHERE source = ?", (source,))
            if confirmed > start:
                tally(cursor, "bytes given up", confirmed - start)

    def _forget(self, cursor: sqlite3.Cursor, today: int) -> None:
        old = [row[:1] for row in self._past.rows(cursor) if row[1] <= today - FORGOTTEN]
        cursor.executemany("DELETE FROM folded WHERE source = ?", old)


def _fold_source(cursor: sqlite3.Cursor, source: str, today: int) -> None:
    """Fold a source if it is at rest and lacks nothing, or after FORGOTTEN days whatever it lacks."""
    last = cursor.execute("SELECT max(day) FROM ranges WHERE stage = ? AND source = ?", (INGRESS, source)).fetchone()[0]
    its = source_status.read(cursor, source)
    # Dismissed gaps count as well, because what fills them late is still to be written.
    is_whole = not (its.lines_short or its.unconfirmed or replace(its, dismissed=0).gaps)
    if last > today - (REMEMBERED if is_whole else FORGOTTEN):
        return
    if its.gaps:
        tally(cursor, "bytes given up", sum(end - start for start, end in its.gaps))
    if its.lines_short:
        tally(cursor, "lines given up", its.lines_short)
    cursor.execute(
        "INSERT INTO totals SELECT day, destination, service, host, records FROM counts WHERE source = ?"
        " ON CONFLICT DO UPDATE SET records = records + excluded.records",
        (source,),
    )
    cursor.execute("DELETE FROM counts WHERE source = ?", (source,))
    cursor.execute("DELETE FROM ranges WHERE stage = ? AND source = ?", (INGRESS, source))
    cursor.execute("DELETE FROM stated WHERE source = ?", (source,))
    losses.forget(cursor, source)
    owners.forget(cursor, source)
    _drop_source(cursor, INGRESS, source, its.repeated, its.late)
    folded.put(cursor, source, Folded(its.decided.start, its.decided.end, its.records, its.late, today))


def _drop_source(cursor: sqlite3.Cursor, stage: str, source: str, repeated: int, late: int) -> None:
    cursor.execute("DELETE FROM sources WHERE stage = ? AND source = ?", (stage, source))
    if stage == INGRESS:
        cursor.execute("DELETE FROM chains WHERE source = ?", (source,))
    if stage == INGRESS and repeated:
        tally(cursor, "repeated", repeated)
    if stage == INGRESS and late:
        tally(cursor, "late", late)


def _add_totals(cursor: sqlite3.Cursor, rows: Iterable[tuple[Any, ...]]) -> None:
    cursor.executemany(
        "INSERT INTO totals VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records", rows
    )


def _fold_files(cursor: sqlite3.Cursor) -> None:
    """Replace the rows of removed archive files by the number of records that they held."""
    gone = cursor.execute(
        "SELECT destination, path, segment, day, records FROM files WHERE state = 'removed' LIMIT ?", (AT_ONCE,)
    ).fetchall()
    cursor.executemany(
        "INSERT INTO removed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records",
        [(day, destination, records) for destination, _, _, day, records in gone],
    )
    cursor.executemany(
        "DELETE FROM files WHERE destination = ? AND path = ? AND segment = ?", [row[:3] for row in gone]
    )


def _fold_processes(cursor: sqlite3.Cursor, today: int) -> None:
    """Fold the statements of processes that are silent for REMEMBERED days, and the oldest beyond _MOST_PROCESSES."""
    count = cursor.execute("SELECT count(at) FROM statements").fetchone()[0]
    fold_processes(
        cursor,
        cursor.execute(
            "SELECT reporter, started, statement FROM statements WHERE at < ? OR ? ORDER BY at LIMIT ?",
            ((today - REMEMBERED) * DAY, count > _MOST_PROCESSES, max(AT_ONCE, count - _MOST_PROCESSES)),
        ).fetchall(),
    )


def _fold_names(cursor: sqlite3.Cursor, today: int) -> None:
    """Drop service and host from the oldest day of the totals that still has them and is NAMED days old."""
    named = "(service != '' OR host != '')"
    day = cursor.execute(
        f"SELECT min(day) FROM totals WHERE {named} AND day < ?",  # noqa: S608  # our own words
        (_iso(today - NAMED),),
    ).fetchone()[0]
    if day is None:
        return
    cursor.execute(
        f"INSERT INTO totals SELECT day, destination, '', '', sum(records) FROM totals WHERE day = ? AND {named}"  # noqa: S608  # our own words
        " GROUP BY destination ON CONFLICT DO UPDATE SET records = records + excluded.records",
        (day,),
    )
    cursor.execute(f"DELETE FROM totals WHERE day = ? AND {named}", (day,))  # noqa: S608  # our own words


def _iso(day: int) -> str:
    """Return a day since 1970 in ISO 8601."""
    return (date(1970, 1, 1) + timedelta(day)).isoformat()
