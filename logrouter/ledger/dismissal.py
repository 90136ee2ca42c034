"""What was stated and is hopeless, or was made up, dismissed: audits hold it against nobody any more.

In come the names of sources or of who states them; what was stated of them goes, and of each it is noted up to where
gaps are dismissed. What comes late is written all the same. SQLite lets this process write while a router has the
ledger: the router waits a moment for this one's small transactions, as this one does for the router's.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from logrouter.errors import StateError
from logrouter.ledger import losses as requests
from logrouter.ledger import source_status as standing
from logrouter.ledger.entry import DAY, INGRESS, ledger_path
from logrouter.ledger.snapshot import refuse_other

_PATIENCE = 30.0
"""Seconds to wait for a router's transaction."""

_AT_ONCE = 500
"""Sources in a transaction."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A source. missing: bytes of it, and lines, that were stated and not decided."""

    source: str
    missing: int
    lines: int


class Forgetting:
    """An open ledger, whether a router has it or not."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def forget(self, source: str) -> Dismissed | None:
        """Dismiss what a source lacks; None where none of that name is known. Raises StateError."""
        with self._transaction() as cursor:
            return _forget(cursor, source)

    def forget_reporter(self, reporter: str) -> Iterator[Dismissed]:
        """Dismiss what the sources lack that somebody states, and whatever else it said. Raises StateError."""
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
            refuse_other(self._connection, self._path, "main")  # a router may just have begun to take it forward
            yield cursor
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(f"{self._path} cannot be written: {error}") from error
        finally:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")


def _forget(cursor: sqlite3.Cursor, source: str) -> Dismissed | None:
    its = standing.read(cursor, source)
    if its.stated is None and not its.decided:
        return None
    confirmed = its.stated.confirmed if its.stated else 0
    cursor.execute("DELETE FROM stated WHERE source = ?", (source,))
    requests.forget(cursor, source)
    cursor.execute(
        "INSERT INTO sources (stage, source, dismissed, day) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " dismissed = excluded.dismissed, day = excluded.day",
        (INGRESS, source, max(confirmed, its.decided.end), int(time.time() // DAY)),
    )
    return Dismissed(source, sum(end - start for start, end in its.gaps), its.lines_short)


@contextmanager
def opened(directory: Path, instance: str) -> Iterator[Forgetting]:
    """The ledger of an instance. Raises StateError where there is none."""
    path = ledger_path(directory, instance)
    if not path.exists():
        raise StateError(f"there is no ledger {path}; give the --state and --instance of the router")
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        yield Forgetting(connection, path)
    finally:
        connection.close()
