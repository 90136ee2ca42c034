"""The ledger: what has been decided of each source, and how far each archive file is committed. One SQLite file.

The router writes a LedgerEntry for each commit, which is in the ledger as a whole or not at all. It reads back the
extents of sources and the archive files; audits read a snapshot. docs/reliability.md describes what relies on it.
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
from logrouter.ledger import lives, losses, owners, statements
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
"""Seconds after the start in which nothing is folded."""

_FILES = "files INDEXED BY files_by_day"  # else SQLite scans all files of a destination for those in one state
_FILE_MARKS = ", ".join("?" for _ in fields(FileState))


class Ledger:
    """An open ledger, locked by this process. Methods block on the disk, so call `commit` in a thread.

    Raises StateError if another process has the ledger, a newer version wrote it, or it cannot be opened.
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
            raise StateError(f"cannot open {self._path}: {error}") from error

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
        """Write the whole entry durably, or nothing of it. Raises sqlite3.Error; see `discard_failed_commit`."""
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
            statements.write(cursor, entry.statements, today)
            _write_aside(cursor, entry)
            lives.write(cursor, entry.lives, today)
            owners.write(cursor, entry.owners)
            losses.write(cursor, entry.missing)
            losses.heal(cursor, entry.whole, entry.healed)
            reach("ledger.commit.within")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._writer.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:  # SQLite has already rolled back after a failure of the disk
                cursor.execute("ROLLBACK")
            raise

    def discard_failed_commit(self) -> None:
        """Make sure that a failed commit cannot reappear. Raises sqlite3.Error if it still can.

        When the sync of the write-ahead log fails, SQLite forgets the transaction, but the log may hold it, and whoever
        opens the ledger after a crash would find it. The transaction made here overwrites it and changes nothing.
        """
        with self._writing:
            self._writer.execute(f"PRAGMA user_version = {VERSION}")

    def extents(self, stage: str, source: str) -> Ranges:
        """Return what is decided of a source at a stage. It is empty for an unknown source."""
        return ranges.read(self._reader.cursor(), stage, source)

    def is_followed(self, source: str) -> bool:
        """Report whether something of the next generation of its log is decided."""
        return self._reader.execute("SELECT 1 FROM chains WHERE previous = ?", (source,)).fetchone() is not None

    def extents_of_lives(self, source: str) -> Ranges:
        """Return what is decided of a source in all lives of its state directory. source: the name at its shipper."""
        return ranges.read_lives(self._reader.cursor(), source)

    def aside(self) -> dict[str, AsideState]:
        """Return the destinations that are set aside, each with the state of the file in which its records wait."""
        rows = self._reader.execute("SELECT destination, length, taken, records FROM aside").fetchall()
        return {name: AsideState(*state) for name, *state in rows}

    def files(self, destination: str, *states: str) -> Iterator[FileState]:
        """Return the files of an archive that are in one of `states`."""
        marks = ", ".join("?" for _ in states)
        rows = self._reader.execute(
            f"SELECT {FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state IN ({marks})",  # noqa: S608  # only marks
            (destination, *states),
        )
        return (FileState(*row) for row in rows.fetchall())

    def finished_before(self, destination: str, day: str, most: int) -> list[FileState]:
        """Return up to `most` finished files of days before `day`, the oldest first."""
        rows = self._reader.execute(
            f"SELECT {FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state = 'finished'"  # noqa: S608  # our own columns
            " AND day > '' AND day < ? ORDER BY day LIMIT ?",
            (destination, day, most),
        )
        return [FileState(*row) for row in rows.fetchall()]

    def last_segment(self, destination: str, path: str) -> int:
        """Return the highest segment that a path has had, 0 if none."""
        row = self._reader.execute(
            "SELECT max(segment) FROM files WHERE destination = ? AND path = ?", (destination, path)
        ).fetchone()
        return int(row[0] or 0)

    def counts(self) -> Mapping[Counted, int]:
        """Return the number of records under each key, without those of folded sources."""
        rows = self._reader.execute("SELECT source, destination, day, service, host, records FROM counts").fetchall()
        return {Counted(*row[:-1]): row[-1] for row in rows}

    def seen(self, message_id: str, since: int) -> bool:
        """Report whether a message with that id was settled at or after `since` (Unix time)."""
        row = self._reader.execute("SELECT at FROM seen WHERE id = ?", (message_id,)).fetchone()
        return row is not None and row[0] >= since

    def note(self, destination: str) -> str:
        """Return the last note of a destination, '' if none. Bytes that are not UTF-8 are damaged, and are replaced."""
        query = "SELECT CAST(note AS BLOB) FROM notes WHERE destination = ?"
        row = self._reader.execute(query, (destination,)).fetchone()
        return row[0].decode(errors="replace") if row else ""

    def life(self, name: str) -> Life | None:
        """Return the life of a state directory with that name, or None."""
        return lives.read(self._reader.cursor(), name)

    def owner(self, source: str) -> str:
        """Return the user that a source belongs to, '' if none."""
        return owners.read(self._reader.cursor(), source)

    def missing(self) -> list[MissingRange]:
        """Return the ranges that the broker lost, each with its outcome."""
        return losses.read(self._reader.cursor())

    @property
    def born(self) -> float:
        """The time at which this ledger began (Unix time), 0 if an older version began it."""
        return float(self._reader.execute("SELECT at FROM born").fetchone()[0])

    def outgoing(self, destination: str) -> bytes:
        """Return the notifications of a destination that the broker may not have yet, b"" if none."""
        row = self._reader.execute(
            "SELECT notifications FROM outgoing WHERE destination = ?", (destination,)
        ).fetchone()
        return bytes(row[0]) if row else b""

    def forget_seen(self, before: int) -> None:
        """Delete the ids of messages that were settled before that Unix time. Raises sqlite3.Error."""
        with self._writing:
            self._writer.execute("DELETE FROM seen WHERE at < ?", (before,))

    def fold(self, now: float) -> None:
        """Do one bounded step of compaction. now: Unix time. Raises sqlite3.Error.

        Does nothing in the first SETTLING seconds: after a long outage everything seems to be at rest until the
        messages that waited for this router have come.
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
