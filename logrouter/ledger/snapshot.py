"""A snapshot of what an audit needs of a ledger, taken while its router goes on writing.

The tables are copied into a database of the audit's own, because the write-ahead log of the ledger grows for as long as
somebody reads from it, and an audit can take hours. The ledger is neither locked nor written to.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from logrouter.errors import StateError
from logrouter.ledger import compacted as folded
from logrouter.ledger import decided as ranges
from logrouter.ledger import lives, losses, statements
from logrouter.ledger.entry import DECIDED, FILE_COLUMNS, INGRESS, AsideState, FileState, ledger_path
from logrouter.ledger.schema import VERSION
from logrouter.ledger.selection import Selection
from logrouter.support.filesystem import is_locked
from logrouter.wire.ranges import Ranges

_COPIED = (
    """
CREATE TABLE files AS SELECT {file_columns} FROM ledger.files
    WHERE state NOT IN ('new', 'expiring', 'removed') AND {near} ORDER BY destination, path, segment
""",
    """
CREATE TABLE meant AS SELECT source, destination, day, service, host, records FROM ledger.counts {index} WHERE {meant}
""",
    """
CREATE TABLE counted AS SELECT source, destination, sum(records) AS records, service, host
    FROM meant GROUP BY source, destination ORDER BY source, destination
""",
    """
CREATE TABLE days AS SELECT destination, day, sum(records) AS records FROM (
    SELECT destination, day, records FROM meant UNION ALL
    SELECT destination, day, records FROM ledger.totals WHERE {meant}) GROUP BY destination, day
""",
    """
CREATE TABLE chosen (source TEXT PRIMARY KEY) WITHOUT ROWID
""",
    """
INSERT INTO chosen SELECT DISTINCT source FROM counted
""",
    """
INSERT OR IGNORE INTO chosen {others}
""",
    """
CREATE TABLE ranges (source TEXT, start INT, stop INT, PRIMARY KEY (source, start)) WITHOUT ROWID
""",
    """
INSERT INTO ranges SELECT chosen.source, start, stop FROM chosen
    CROSS JOIN ledger.ranges ON ranges.stage = '{ingress}' AND ranges.source = chosen.source
    ORDER BY chosen.source, start
""",
    """
CREATE TABLE chains AS SELECT chosen.source, previous, reached,
    coalesce(sources.late, 0) + coalesce(folded.late, 0) AS late FROM chosen
    CROSS JOIN ledger.chains ON chains.source = chosen.source
    LEFT JOIN ledger.sources ON sources.stage = '{ingress}' AND sources.source = previous
    LEFT JOIN ledger.folded ON folded.source = folded_key(previous)
    ORDER BY chosen.source
""",
    """
CREATE UNIQUE INDEX chains_by_source ON chains (source)
""",
    """
CREATE TABLE past AS SELECT chosen.source, start, stop, records, late FROM chosen
    CROSS JOIN ledger.folded ON folded.source = folded_key(chosen.source)
    WHERE chosen.source NOT IN (SELECT source FROM main.ranges)
""",
    """
INSERT INTO ranges SELECT source, start, stop FROM past
""",
    """
CREATE TABLE standings AS SELECT chosen.source, stated.source IS NOT NULL AS is_stated, reporter, at, input, path,
    stated.start, read, confirmed, lines, by_line, repeated, coalesce(sources.late, 0) + coalesce(past.late, 0),
    coalesce(folded, 0) + coalesce(past.records, 0), shared, dismissed,
    (SELECT sum(records) FROM ledger.counts WHERE source = chosen.source AND destination = '{decided}')
    FROM chosen LEFT JOIN ledger.stated ON stated.source = chosen.source
    LEFT JOIN ledger.sources ON sources.stage = '{ingress}' AND sources.source = chosen.source
    LEFT JOIN past ON past.source = chosen.source
    ORDER BY chosen.source
""",
)

_EVERY_SOURCE = """
SELECT source FROM ledger.ranges WHERE stage = '{ingress}' UNION ALL
SELECT source FROM ledger.sources WHERE stage = '{ingress}' UNION ALL SELECT source FROM ledger.stated
"""
_LATELY_STATED = "SELECT source FROM ledger.stated WHERE at >= CAST(strftime('%s', :since) AS INT)"
"""Sources that were stated recently. If nothing of them is decided they are counted under no day."""

ROOM = "the audit copies into temporary files; make room for them, or set SQLITE_TMPDIR to a directory with room"


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The part of a snapshot that is not kept by source.

    destinations: all for which records were counted.
    decided: records by destination.   days: records by destination and day, empty if all records are selected.
    at_rest: the decided records whose sources are folded.
    removed: records in archive files that were removed, by destination.   removed_until: the last day of these files.
    exceptions: what shippers counted, by name.   tallies: other counts of rows that no longer exist, by name.
    notes: the notes of destinations.   aside: the files of destinations that are set aside.
    outgoing: destinations with notifications that the broker may not have yet.
    healed: records that the broker lost and that came again.   gone: bytes that it lost and that nobody can read.
    forks: branches of state directories that were copied or set back.
    is_running: whether a router has the ledger open.   taken_at: Unix time.
    """

    destinations: frozenset[str]
    decided: Mapping[str, int]
    days: Mapping[tuple[str, str], int]
    at_rest: int
    removed: Mapping[str, int]
    removed_until: Mapping[str, str]
    exceptions: Mapping[str, int]
    tallies: Mapping[str, int]
    notes: Mapping[str, str]
    outgoing: frozenset[str]
    aside: Mapping[str, AsideState]
    healed: int
    gone: int
    forks: tuple[str, ...]
    is_running: bool
    taken_at: float


def take(scratch: sqlite3.Connection, directory: Path, instance: str, selection: Selection) -> LedgerSnapshot:
    """Copy what a selection covers into `scratch`. Raises StateError if there is no ledger, or one of another version.

    The copies are the tables files, counted, chosen, chains, standings and ranges, in the order of their sources.
    """
    path = ledger_path(directory, instance)
    if not path.exists():
        raise StateError(f"there is no ledger {path}; pass the --state and --instance of the router")
    try:
        scratch.create_function("folded_key", 1, folded.key, deterministic=True)
        scratch.execute("ATTACH ? AS ledger", (str(path),))
        try:
            scratch.execute("BEGIN")  # all of it from one moment
            check_version(scratch, path)
            found = _copy(scratch, selection, is_running=is_locked(directory / f"{instance}.lock"))
            scratch.execute("COMMIT")
        finally:
            if scratch.in_transaction:
                scratch.execute("ROLLBACK")
            scratch.execute("DETACH ledger")
    except sqlite3.Error as error:
        raise StateError(f"cannot copy {path}: {error}", ROOM) from error
    return found


def check_version(connection: sqlite3.Connection, path: Path, schema: str = "ledger") -> None:
    """Raise StateError if the ledger is of another version."""
    version = connection.execute(f"PRAGMA {schema}.user_version").fetchone()[0]
    if version != VERSION:
        remedy = "start its router once to upgrade it" if version < VERSION else "run the newer logrouter"
        raise StateError(f"{path} has version {version}, not {VERSION}; {remedy}")


def _copy(scratch: sqlite3.Connection, selection: Selection, *, is_running: bool) -> LedgerSnapshot:
    first, last = selection.near
    values = {**asdict(selection), "first": first, "last": last}
    words = {
        "file_columns": FILE_COLUMNS,
        "near": "(day = '' OR day BETWEEN :first AND :last)",
        "meant": _meant(selection),
        "index": "INDEXED BY counts_by_day" if selection.since else "NOT INDEXED",
        "decided": DECIDED,
        "ingress": INGRESS,
    }
    if selection.is_all:
        words["others"] = _EVERY_SOURCE.format(**words)
    else:
        words["others"] = _LATELY_STATED if selection.is_recent else "SELECT '' WHERE false"
    for statement in _COPIED:
        scratch.execute(statement.format(**words), values)

    def rows(statement: str) -> list[tuple[str, ...]]:
        return scratch.execute(statement.format(**words), values).fetchall()

    decided = rows("SELECT destination, sum(records) FROM main.days GROUP BY destination")
    days = [] if selection.is_all else rows("SELECT destination, day, records FROM main.days ORDER BY day LIMIT 100000")
    removed = rows(
        "SELECT destination, sum(records), max(day) FROM ("
        "SELECT destination, records, day FROM ledger.files WHERE state IN ('expiring', 'removed') AND {near}"
        " UNION ALL SELECT destination, records, day FROM ledger.removed WHERE {near}) GROUP BY destination"
    )
    ((at_rest,),) = rows(
        "SELECT coalesce(sum(records), 0) FROM ledger.totals WHERE destination = '{decided}' AND {meant}"
    )
    cursor = scratch.cursor()
    return LedgerSnapshot(
        destinations=frozenset(name for name, _ in decided) - {DECIDED},
        decided={name: int(records) for name, records in decided},
        days={(name, day): int(records) for name, day, records in days},
        at_rest=int(at_rest),
        removed={name: int(records) for name, records, _ in removed},
        removed_until={name: day for name, _, day in removed},
        exceptions=statements.exceptions(cursor, "ledger"),
        tallies=statements.tallies(cursor, "ledger"),
        notes=dict(rows("SELECT destination, note FROM ledger.notes")),  # type: ignore[arg-type]  # two columns
        outgoing=frozenset(
            name for (name,) in rows("SELECT destination FROM ledger.outgoing WHERE notifications != x''")
        ),
        aside={
            name: AsideState(*map(int, state))
            for name, *state in rows("SELECT destination, length, taken, records FROM ledger.aside")
        },
        healed=losses.healed(cursor, "ledger"),
        gone=losses.gone(cursor, "ledger"),
        forks=lives.forks(cursor, "ledger"),
        is_running=is_running,
        taken_at=time.time(),
    )


def _meant(selection: Selection) -> str:
    conditions = {
        "since": "day >= :since",
        "until": "day <= :until",
        "service": "service = :service",
        "host": "host = :host",
    }
    return " AND ".join(text for name, text in conditions.items() if getattr(selection, name)) or "true"


class LiveLedger:
    """A ledger at the present moment: the state of files and sources after a snapshot was taken."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    def file(self, state: FileState) -> FileState | None:
        """Return the present state of a file, or None if the ledger no longer has it."""
        row = self._cursor.execute(
            f"SELECT {FILE_COLUMNS} FROM files WHERE destination = ? AND path = ? AND segment = ?",  # noqa: S608  # our own columns
            (state.destination, state.path, state.segment),
        ).fetchone()
        return FileState(*row) if row else None

    def decided(self, source: str) -> tuple[Ranges, int]:
        """Return what is decided of a source, at rest or not, and how many of its windows came late."""
        past = folded.find(self._cursor, source)
        if past is not None:
            return Ranges([(past.start, past.stop)]), past.late
        late = self._cursor.execute(
            "SELECT late FROM sources WHERE stage = ? AND source = ?", (INGRESS, source)
        ).fetchone()
        return ranges.read(self._cursor, INGRESS, source), late[0] if late else 0


@contextmanager
def opened(directory: Path, instance: str) -> Iterator[LiveLedger]:
    """Open the ledger of an instance for reading."""
    connection = sqlite3.connect(ledger_path(directory, instance), isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        yield LiveLedger(connection)
    finally:
        connection.close()
