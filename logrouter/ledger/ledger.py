"""The ledger: what has been decided, per source, and how far each archive file is committed. One SQLite file.

In comes an Entry, everything that one commit of the router settles; it is in the ledger wholly or not at all. Out go
the extents of a source, the archive's files and the counts that the audit reads. docs/reliability.md tells what
stands on it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from logrouter.errors import StateError
from logrouter.ledger import decided as ranges
from logrouter.ledger import lives, owners
from logrouter.ledger import losses as requests
from logrouter.ledger import statements as stating
from logrouter.ledger.compaction import Folding
from logrouter.ledger.entry import (
    DAY,
    DECIDED,
    FILE_COLUMNS,
    INGRESS,
    AsideState,
    Counted,
    FileState,
    LedgerEntry,
    ledger_path,
)
from logrouter.ledger.lives import Life
from logrouter.ledger.losses import MissingRange
from logrouter.ledger.schema import STEPS, VERSION
from logrouter.support.failpoint import reach
from logrouter.support.filesystem import Lock
from logrouter.wire.ranges import Ranges

__all__ = ["DECIDED", "INGRESS", "AsideState", "Counted", "FileState", "Ledger", "LedgerEntry"]

SETTLING = 60.0
"""Seconds after a start in which nothing is folded."""

_FILES = "files INDEXED BY files_by_day"  # else SQLite looks through all files of a destination for those in one state
_FILE_MARKS = ", ".join("?" for _ in fields(FileState))


class Ledger:
    """An open ledger, locked by this process. Methods block on the disk; `commit` belongs into a thread.

    Raises StateError when another process has it, a newer version wrote it, or it cannot be read and written.
    """

    def __init__(self, directory: Path, instance: str = "main") -> None:
        self._lock = Lock(directory / f"{instance}.lock")
        self._writing = threading.Lock()
        self._folding = Folding()
        self._fold_at = time.monotonic() + SETTLING
        self.directory = directory
        self._path = ledger_path(directory, instance)
        try:
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._lock.release()
            raise StateError(f"{self._path} cannot be opened: {error}") from error

    def _open(self) -> None:
        self._path.touch(mode=0o600)
        self._writer = self._connect()
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            self.close()
            raise StateError(f"{self._path} was written by a newer logrouter (version {version}); upgrade this one")
        if version < VERSION:
            steps = " ".join(STEPS[version:])
            self._writer.executescript(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
        self._reader = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def close(self) -> None:
        """Close the file and release the lock."""
        self._writer.close()
        if hasattr(self, "_reader"):
            self._reader.close()
        self._lock.release()

    def commit(self, entry: LedgerEntry) -> None:
        """Write the whole entry durably, or nothing of it. Raises sqlite3.Error."""
        with self._writing:
            reach("ledger.commit.before")
            self._commit(entry)
            reach("ledger.commit.after")

    def _commit(self, entry: LedgerEntry) -> None:
        with self._transaction() as cursor:
            today = int(time.time() // DAY)
            _write_sources(cursor, entry, today)
            cursor.executemany(
                "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET records = records + excluded.records",
                [(*counted, records) for counted, records in entry.counts.items()],
            )
            cursor.executemany(
                f"INSERT OR REPLACE INTO files ({FILE_COLUMNS}) VALUES ({_FILE_MARKS})",  # noqa: S608  # our own columns
                [tuple(getattr(file, column.name) for column in fields(FileState)) for file in entry.files],
            )
            cursor.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", entry.seen.items())
            cursor.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", entry.notes.items())
            cursor.executemany("INSERT OR REPLACE INTO outgoing VALUES (?, ?)", entry.outgoing.items())
            stating.write(cursor, entry.statements, today)
            _write_aside(cursor, entry)
            lives.write(cursor, entry.lives, today)
            owners.write(cursor, entry.owners)
            requests.write(cursor, entry.missing)
            requests.heal(cursor, entry.whole, entry.healed)
            reach("ledger.commit.within")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._writer.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:  # after a failure of the disk SQLite has taken it back already
                cursor.execute("ROLLBACK")
            raise

    def renounce(self) -> None:
        """Make sure that a commit which failed is not there after all. Raises sqlite3.Error: then it may be.

        Where the log's sync fails SQLite forgets the transaction, but the log has it, and whoever opens the ledger
        after a crash would find it. The next transaction takes its place; this one changes nothing.
        """
        with self._writing:
            self._writer.execute(f"PRAGMA user_version = {VERSION}")

    def extents(self, stage: str, source: str) -> Ranges:
        """What is decided of a source at a stage; empty for one never met."""
        return ranges.read(self._reader.cursor(), stage, source)

    def is_followed(self, source: str) -> bool:
        """Whether something of the generation after this one is decided already."""
        return self._reader.execute("SELECT 1 FROM chains WHERE previous = ?", (source,)).fetchone() is not None

    def extents_of_lives(self, source: str) -> Ranges:
        """What is decided of a source in any life of its state directory; `source` as its shipper knows it."""
        return ranges.read_lives(self._reader.cursor(), source)

    def aside(self) -> dict[str, AsideState]:
        """The destinations for which records wait in a file."""
        rows = self._reader.execute("SELECT destination, length, taken, records FROM aside").fetchall()
        return {name: AsideState(*state) for name, *state in rows}

    def files(self, destination: str, *states: str) -> Iterator[FileState]:
        """The files of an archive that are in one of `states`."""
        marks = ", ".join("?" for _ in states)
        rows = self._reader.execute(
            f"SELECT {FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state IN ({marks})",  # noqa: S608  # only marks
            (destination, *states),
        )
        return (FileState(*row) for row in rows.fetchall())

    def finished_before(self, destination: str, day: str, most: int) -> list[FileState]:
        """The finished files of days before that one, the oldest first, and so many at most."""
        rows = self._reader.execute(
            f"SELECT {FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state = 'finished'"  # noqa: S608  # our own columns
            " AND day > '' AND day < ? ORDER BY day LIMIT ?",
            (destination, day, most),
        )
        return [FileState(*row) for row in rows.fetchall()]

    def last_segment(self, destination: str, path: str) -> int:
        """The highest segment that a path has had, 0 for none."""
        row = self._reader.execute(
            "SELECT max(segment) FROM files WHERE destination = ? AND path = ?", (destination, path)
        ).fetchone()
        return int(row[0] or 0)

    def counts(self) -> Mapping[Counted, int]:
        """Records by what they are counted by."""
        rows = self._reader.execute("SELECT source, destination, day, service, host, records FROM counts").fetchall()
        return {Counted(*row[:-1]): row[-1] for row in rows}

    def seen(self, message_id: str, since: int) -> bool:
        """Whether a message of that id was settled at or after `since` (seconds since 1970)."""
        row = self._reader.execute("SELECT at FROM seen WHERE id = ?", (message_id,)).fetchone()
        return row is not None and row[0] >= since

    def note(self, destination: str) -> str:
        """What a destination last asked to be kept, '' for nothing. What is no UTF-8 was damaged, and is replaced."""
        query = "SELECT CAST(note AS BLOB) FROM notes WHERE destination = ?"
        row = self._reader.execute(query, (destination,)).fetchone()
        return row[0].decode(errors="replace") if row else ""

    def life(self, name: str) -> Life | None:
        """The life of a state directory, by its name."""
        return lives.read(self._reader.cursor(), name)

    def owner(self, source: str) -> str:
        """The user that a source belongs to, '' for none."""
        return owners.read(self._reader.cursor(), source)

    def missing(self) -> list[MissingRange]:
        """What the broker lost and what became of it."""
        return requests.read(self._reader.cursor())

    @property
    def born(self) -> float:
        """When this ledger began (Unix time), 0 where that is not known."""
        return float(self._reader.execute("SELECT at FROM born").fetchone()[0])

    def outgoing(self, destination: str) -> bytes:
        """The notifications of a destination that the broker may not have yet, b"" for none."""
        row = self._reader.execute(
            "SELECT notifications FROM outgoing WHERE destination = ?", (destination,)
        ).fetchone()
        return bytes(row[0]) if row else b""

    def forget_seen(self, before: int) -> None:
        """Drop the ids of messages that were settled before that time. Raises sqlite3.Error."""
        with self._writing:
            self._writer.execute("DELETE FROM seen WHERE at < ?", (before,))

    def fold(self, now: float) -> None:
        """Fold some of what is at rest into totals: a step of bounded work. now: Unix time. Raises sqlite3.Error.

        Not before what waited for this router has come: after a long outage all seems to be at rest.
        """
        if time.monotonic() < self._fold_at:
            return
        with self._writing, self._transaction() as cursor:
            today = int(now // DAY)
            self._folding.step(cursor, today)
            lives.forget(cursor, today - lives.KEPT_DAYS)


def _write_sources(cursor: sqlite3.Cursor, entry: LedgerEntry, today: int) -> None:
    for (stage, source), decided in entry.decided.items():
        ranges.add(cursor, stage, source, decided, today)
    repeated, late = entry.repeated, entry.late
    cursor.executemany(
        "INSERT INTO sources (stage, source, repeated, late) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " repeated = repeated + excluded.repeated, late = late + excluded.late",
        [(*key, repeated.get(key, 0), late.get(key, 0)) for key in repeated.keys() | late.keys()],
    )
    cursor.executemany(
        "INSERT INTO sources (stage, source, shared) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET shared = 1",
        [(INGRESS, source) for source in entry.shared],
    )
    cursor.executemany(
        "INSERT OR IGNORE INTO chains VALUES (?, ?, ?)", [(source, *after) for source, after in entry.chains.items()]
    )


def _write_aside(cursor: sqlite3.Cursor, entry: LedgerEntry) -> None:
    cursor.executemany(
        "INSERT INTO aside VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET length = length + excluded.length,"
        " taken = taken + excluded.taken, records = records + excluded.records",
        [(name, *added) for name, added in entry.aside.items()],
    )
    cursor.executemany("DELETE FROM aside WHERE destination = ?", [(name,) for name in entry.inline_again])
