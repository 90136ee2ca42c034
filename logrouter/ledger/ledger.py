"""The ledger: what has been decided, per source, and how far each archive file is committed. One SQLite file.

In comes an Entry, everything that one commit of the router settles; it is in the ledger wholly or not at all. Out go
the extents of a source, the archive's files and the counts that the audit reads. docs/reliability.md tells what
stands on it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

import msgspec

from logrouter.errors import StateError
from logrouter.extents import Extents
from logrouter.faultpoint import reach
from logrouter.ledger import lives, owners, requests
from logrouter.ledger.lives import Life
from logrouter.ledger.requests import Missing
from logrouter.ledger.schema import STEPS, VERSION
from logrouter.state import Lock
from logrouter.statement import Statement

DECIDED = ""
"""In place of a destination: what is counted once for each record, wherever it goes."""

INGRESS = ""
"""The stage of the router's own queue; that of records gathered for a destination has the destination's name."""

GATHERED_RANGES = 1000
"""Of a source at a destination, the last ones: records are picked, so that their ranges never close up. What comes
again comes soon."""


class Counted(NamedTuple):
    """What records are counted by: their source, where they went, the day they are filed under (UTC), and names."""

    source: str
    destination: str
    day: str
    service: str
    host: str


class AsideState(NamedTuple):
    """The file of a destination that is set aside: bytes committed, bytes taken of these, records that wait."""

    length: int = 0
    taken: int = 0
    records: int = 0

    def __add__(self, other: object) -> AsideState:
        """What it comes to when so much is added."""
        assert isinstance(other, AsideState)
        return AsideState(self.length + other.length, self.taken + other.taken, self.records + other.records)


@dataclass(frozen=True, slots=True)
class FileState:
    """An archive file as far as it is committed.

    path: below the archive's directory, as the template gave it.   segment: 1, 2, ... of that path.
    state: new (nothing is committed), open, finishing, finished, expiring, removed; or damaged.
    day: the filing day in the path, '' if none.
    length: bytes of the file up to the end of the last commit, without the member's trailer.
    member_crc, member_size: CRC-32 and length of what the last member holds uncompressed: they close it at any commit.
    size: uncompressed bytes of the whole file.   records, commits: how many are in it.
    crc: CRC-32 of the whole file uncompressed, -1 where an older version did not note it.
    """

    destination: str
    path: str
    segment: int
    state: str = "open"
    day: str = ""
    length: int = 0
    member_crc: int = 0
    member_size: int = 0
    size: int = 0
    records: int = 0
    commits: int = 0
    crc: int = 0


_FILE_COLUMNS = ", ".join(column.name for column in fields(FileState))
_FILES = "files INDEXED BY files_by_day"  # else SQLite looks through all files of a destination for those in one state
_FILE_MARKS = ", ".join("?" for _ in fields(FileState))


@dataclass(slots=True)
class Entry:
    """What one commit settles: ranges decided, records counted and repeated, files as they are now, ids seen.

    seen: ids of messages that come in no windows, and the Unix time.   notes: what a destination must not forget.
    outgoing: notifications made of what it has forgotten with this entry, b"" once the broker has them.
    statements: what processes said of themselves.   aside: what is added to the files of destinations set aside.
    inline_again: destinations whose file is to be forgotten.   lives, owners: of state directories and sources.
    missing: what the broker lost.   whole: sources of which all that has come.   healed: records that came with it.
    """

    decided: dict[tuple[str, str], Extents] = field(default_factory=dict)
    repeated: dict[tuple[str, str], int] = field(default_factory=dict)
    late: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: dict[Counted, int] = field(default_factory=dict)
    files: list[FileState] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    outgoing: dict[str, bytes] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    aside: dict[str, AsideState] = field(default_factory=dict)
    inline_again: list[str] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    healed: int = 0

    def add_decided(self, stage: str, source: str, ranges: Iterable[tuple[int, int]]) -> None:
        """These ranges of `source` are decided with this entry."""
        extents = self.decided.setdefault((stage, source), Extents())
        for start, end in ranges:
            extents.add(start, end)


def ledger_path(directory: Path, instance: str) -> Path:
    """Where the ledger of an instance is."""
    return directory / f"{instance}.ledger"


class Ledger:
    """An open ledger, locked by this process. Methods block on the disk; `commit` belongs into a thread.

    Raises StateError when another process has it, a newer version wrote it, or it cannot be read and written.
    """

    def __init__(self, directory: Path, instance: str = "main") -> None:
        self._lock = Lock(directory / f"{instance}.lock")
        self._writing = threading.Lock()
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

    def commit(self, entry: Entry) -> None:
        """Write the whole entry durably, or nothing of it. Raises sqlite3.Error."""
        with self._writing:
            reach("ledger.commit.before")
            self._commit(entry)
            reach("ledger.commit.after")

    def _commit(self, entry: Entry) -> None:
        cursor = self._writer.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            self._write_sources(cursor, entry)
            cursor.executemany(
                "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET records = records + excluded.records",
                [(*counted, records) for counted, records in entry.counts.items()],
            )
            cursor.executemany(
                f"INSERT OR REPLACE INTO files ({_FILE_COLUMNS}) VALUES ({_FILE_MARKS})",  # noqa: S608  # our own columns
                [tuple(getattr(file, column.name) for column in fields(FileState)) for file in entry.files],
            )
            cursor.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", entry.seen.items())
            cursor.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", entry.notes.items())
            cursor.executemany("INSERT OR REPLACE INTO outgoing VALUES (?, ?)", entry.outgoing.items())
            _write_statements(cursor, entry.statements)
            _write_aside(cursor, entry)
            lives.write(cursor, entry.lives, int(time.time() // 86_400))
            owners.write(cursor, entry.owners)
            requests.write(cursor, entry.missing)
            requests.heal(cursor, entry.whole, entry.healed)
            reach("ledger.commit.within")
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

    def _write_sources(self, cursor: sqlite3.Cursor, entry: Entry) -> None:
        for stage, source in entry.decided.keys() | entry.repeated.keys() | entry.late.keys():
            extents = _read_extents(cursor, stage, source)
            for start, end in entry.decided.get((stage, source), ()):
                extents.add(start, end)
            ranges = list(extents) if stage == INGRESS else list(extents)[-GATHERED_RANGES:]
            cursor.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET extents = excluded.extents,"
                " repeated = repeated + excluded.repeated, late = late + excluded.late",
                (
                    stage,
                    source,
                    json.dumps(ranges, separators=(",", ":")),
                    entry.repeated.get((stage, source), 0),
                    entry.late.get((stage, source), 0),
                ),
            )

    def extents(self, stage: str, source: str) -> Extents:
        """What is decided of a source at a stage; empty for one never met."""
        return _read_extents(self._reader.cursor(), stage, source)

    def aside(self) -> dict[str, AsideState]:
        """The destinations for which records wait in a file."""
        rows = self._reader.execute("SELECT destination, length, taken, records FROM aside").fetchall()
        return {name: AsideState(*state) for name, *state in rows}

    def files(self, destination: str, *states: str) -> Iterator[FileState]:
        """The files of an archive that are in one of `states`."""
        marks = ", ".join("?" for _ in states)
        rows = self._reader.execute(
            f"SELECT {_FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state IN ({marks})",  # noqa: S608  # only marks
            (destination, *states),
        )
        return (FileState(*row) for row in rows.fetchall())

    def finished_before(self, destination: str, day: str, most: int) -> list[FileState]:
        """The finished files of days before that one, the oldest first, and so many at most."""
        rows = self._reader.execute(
            f"SELECT {_FILE_COLUMNS} FROM {_FILES} WHERE destination = ? AND state = 'finished'"  # noqa: S608  # our own columns
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
        """What a destination last asked to be kept, '' for nothing."""
        row = self._reader.execute("SELECT note FROM notes WHERE destination = ?", (destination,)).fetchone()
        return str(row[0]) if row else ""

    def life(self, name: str) -> Life | None:
        """The life of a state directory, by its name."""
        return lives.read(self._reader.cursor(), name)

    def owner(self, source: str) -> str:
        """The user that a source belongs to, '' for none."""
        return owners.read(self._reader.cursor(), source)

    def missing(self) -> list[Missing]:
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


def _write_aside(cursor: sqlite3.Cursor, entry: Entry) -> None:
    cursor.executemany(
        "INSERT INTO aside VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET length = length + excluded.length,"
        " taken = taken + excluded.taken, records = records + excluded.records",
        [(name, *added) for name, added in entry.aside.items()],
    )
    cursor.executemany("DELETE FROM aside WHERE destination = ?", [(name,) for name in entry.inline_again])


def _write_statements(cursor: sqlite3.Cursor, statements: Iterable[Statement]) -> None:
    """Keep the last of each process, and of each source the one that says most: a shipper may start from behind."""
    for each in statements:
        own = msgspec.json.encode(msgspec.structs.replace(each, sources=[])).decode()
        cursor.execute(
            "INSERT INTO statements VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at,"
            " statement = excluded.statement WHERE excluded.at >= at",
            (each.reporter, each.started, each.at, own),
        )
        cursor.executemany(
            "INSERT INTO stated VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET reporter = excluded.reporter,"
            " at = excluded.at, confirmed = excluded.confirmed, statement = excluded.statement"
            " WHERE excluded.confirmed >= confirmed",
            [
                (source.source, each.reporter, each.at, source.confirmed, msgspec.json.encode(source).decode())
                for source in each.sources
            ],
        )


def _read_extents(cursor: sqlite3.Cursor, stage: str, source: str) -> Extents:
    row = cursor.execute("SELECT extents FROM sources WHERE stage = ? AND source = ?", (stage, source)).fetchone()
    return Extents(json.loads(row[0])) if row else Extents()
