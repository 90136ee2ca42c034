"""Dismissal of what a source lacks: lines that are lost for good or were made up, and that audits no longer report.

A dismissal deletes what was stated of the source and notes the position up to which gaps are dismissed. Records that
come late are still written. A router may have the ledger open meanwhile: SQLite makes each process wait a moment for
the small transactions of the other.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from logrouter.errors import StateError
from logrouter.ledger import losses, source_status
from logrouter.ledger.entry import DAY, INGRESS, ledger_path
from logrouter.ledger.snapshot import check_version

_PATIENCE = 30.0
"""Seconds to wait for a transaction of the router."""

_AT_ONCE = 500
"""Sources dismissed in one transaction."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A dismissed source.

    missing: bytes that were confirmed and not decided.   lines: lines that were not decided although their bytes were.
    """

    source: str
    missing: int
    lines: int


class Dismissals:
    """A ledger that is open for dismissals. A router may have it open as well."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def forget(self, source: str) -> Dismissed | None:
        """Dismiss what a source lacks. Return None if the source is unknown. Raises StateError."""
        with self._transaction() as cursor:
            return _forget(cursor, source)

    def forget_reporter(self, reporter: str) -> Iterator[Dismissed]:
        """Dismiss what all sources of a reporter lack, yielding each, and delete its statements. Raises StateError."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM statements WHERE reporter = ?", (reporter,))
        while True:
            with self._transaction() as cursor:
                rows = cursor.execute(
                    "SELECT source FROM stated WHERE reporter = ? LIMIT ?", (reporter, _AT_ONCE)
                ).fetchall()
                dismissed = [_forget(cursor, source) for (source,) in rows]
            if not rows:
                return
            yield from filter(None, dismissed)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            check_version(self._connection, self._path, "main")  # a newer router may just have upgraded it
            yield cursor
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(f"cannot write {self._path}: {error}") from error
        finally:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")


def _forget(cursor: sqlite3.Cursor, source: str) -> Dismissed | None:
    its = source_status.read(cursor, source)
    if its.stated is None and not its.decided:
        return None
    confirmed = its.stated.confirmed if its.stated else 0
    cursor.execute("DELETE FROM stated WHERE source = ?", (source,))
    losses.forget(cursor, source)
    cursor.execute(
        "INSERT INTO sources (stage, source, dismissed, day) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " dismissed = excluded.dismissed, day = excluded.day",
        (INGRESS, source, max(confirmed, its.decided.end), int(time.time() // DAY)),
    )
    return Dismissed(source, sum(end - start for start, end in its.gaps), its.lines_short)


@contextmanager
def opened(directory: Path, instance: str) -> Iterator[Dismissals]:
    """Open the ledger of an instance. Raises StateError if there is none."""
    path = ledger_path(directory, instance)
    if not path.exists():
        raise StateError(f"there is no ledger {path}; pass the --state and --instance of the router")
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        yield Dismissals(connection, path)
    finally:
        connection.close()
