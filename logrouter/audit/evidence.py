"""The evidence of an audit: a snapshot of the ledger and the runs that archives hold, in a temporary database.

It yields the sources in the order of their names, each with all that is known of it. Memory does not grow with the
number of sources.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from logrouter.audit.findings import Findings
from logrouter.audit.runs import Run
from logrouter.errors import StateError
from logrouter.ledger import snapshot, source_status
from logrouter.ledger.entry import FILE_COLUMNS, FileState
from logrouter.ledger.selection import Selection
from logrouter.ledger.source_status import SourceStatus
from logrouter.wire.ranges import Ranges

_CACHE = 32 << 10
"""KiB of the database that SQLite keeps in memory."""

_BATCH = 200


@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """The evidence of one source.

    standing: its status in the ledger, None if only archives have something of it.
    stated_at, reporter: when it was last stated (Unix time) and by whom.   service, host: of some of its records.
    counted: selected records that were decided, by destination.   runs: what each archive holds of it.
    previous: the source before it in its log, up to where that had been read, and how many windows of that came late.
    """

    source: str
    standing: SourceStatus | None
    stated_at: float = 0.0
    reporter: str = ""
    service: str = ""
    host: str = ""
    counted: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    previous: tuple[str, int, int] = ("", 0, 0)


class Evidence:
    """The evidence of one audit, and its findings."""

    def __init__(self, scratch: sqlite3.Connection, snapshot_: snapshot.LedgerSnapshot) -> None:
        self._scratch = scratch
        self.snapshot = snapshot_
        self.findings = Findings(scratch)
        scratch.execute("CREATE TABLE runs (source, destination, path, begun, records, first, last, stop, day, packed)")
        self._runs: list[tuple[Any, ...]] = []

    def files(self, destination: str) -> Iterator[FileState]:
        """Return the files of an archive. The segments of a path stand together."""
        rows = self._scratch.execute(
            f"SELECT {FILE_COLUMNS} FROM files WHERE destination = ? ORDER BY rowid",  # noqa: S608  # our own columns
            (destination,),
        )
        return (FileState(*row) for row in rows)

    def add_run(self, destination: str, source: str, run: Run) -> None:
        """Add a run of a source in an archive. Add those of one path in the order in which they stand there."""
        self._runs.append((source, destination, *run))
        if len(self._runs) >= _BATCH:
            self._write_runs()

    def previous(self, source: str) -> str:
        """Return the source before another in its log, '' if none."""
        row = self._scratch.execute("SELECT previous FROM chains WHERE source = ?", (source,)).fetchone()
        return row[0] if row else ""

    def runs_of(self, source: str, destination: str) -> list[Run]:
        """Return the runs of a source in an archive."""
        rows = self._scratch.execute(
            "SELECT * FROM runs WHERE source = ? AND destination = ? ORDER BY rowid", (source, destination)
        )
        return [Run(*row[2:]) for row in rows]

    def _write_runs(self) -> None:
        self._scratch.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._runs)
        self._runs.clear()

    def sources(self) -> Iterator[SourceEvidence]:
        """Yield all selected sources, and all of which archives hold selected records, in the order of their names."""
        self._write_runs()
        standings = self._by_source("standings")
        counted = self._by_source("counted")
        ranges = self._by_source("ranges")
        runs = self._by_source("runs")
        chains = self._by_source("chains")
        if self._scratch.execute("SELECT 1 FROM chains").fetchone():  # then `runs_of` is called
            self._scratch.execute("CREATE INDEX runs_by_source ON runs (source)")
        for (source,) in self._scratch.execute(
            "SELECT source FROM chosen UNION SELECT source FROM runs ORDER BY source"
        ):
            its = counted.of(source)
            service, host = its[0][3:] if its else ("", "")
            row = next(iter(standings.of(source)), None)
            chain = next(iter(chains.of(source)), ("", "", 0, 0))
            yield SourceEvidence(
                source=source,
                standing=_standing(row, ranges.of(source)) if row else None,
                stated_at=row[3] or 0.0 if row else 0.0,
                reporter=row[2] or "" if row else "",
                service=service,
                host=host,
                counted={destination: records for _, destination, records, *_ in its},
                runs={
                    destination: [Run(*each[2:]) for each in those]
                    for destination, those in groupby(runs.of(source), key=itemgetter(1))
                },
                previous=(chain[1], chain[2], chain[3]),
            )

    def _by_source(self, table: str) -> _BySource:
        second = ", destination, rowid" if table == "runs" else ""
        return _BySource(self._scratch.execute(f"SELECT * FROM {table} ORDER BY source{second}"))  # noqa: S608  # our own names


class _BySource:
    """The rows of a table, grouped by source, in the order of sources."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, key=itemgetter(0))
        self._next: tuple[str, list[tuple[Any, ...]]] | None = None
        self._advance()

    def of(self, source: str) -> list[tuple[Any, ...]]:
        """Return the rows of a source. Call this in the order of sources, and for each that has rows."""
        if self._next is None or self._next[0] != source:
            return []
        found = self._next[1]
        self._advance()
        return found

    def _advance(self) -> None:
        source, rows = next(self._groups, (None, ()))
        self._next = None if source is None else (source, list(rows))


def _standing(row: tuple[Any, ...], ranges: Sequence[tuple[str, int, int]]) -> SourceStatus:
    source, is_stated, _, _, *said = row
    stated, (*known, counted) = said[:7], said[7:]
    decided = Ranges((start, stop) for _, start, stop in ranges)
    return source_status.status_from_rows((source, *stated) if is_stated else None, decided, counted or 0, known)


@contextmanager
def opened(directory: Path, instance: str, selection: Selection) -> Iterator[Evidence]:
    """Open the evidence of an audit and copy the ledger into it. Raises StateError, also for failures during use."""
    scratch = sqlite3.connect("", isolation_level=None)
    try:
        scratch.execute("PRAGMA journal_mode = OFF")
        scratch.execute(f"PRAGMA cache_size = -{_CACHE}")
        yield Evidence(scratch, snapshot.take(scratch, directory, instance, selection))
    except sqlite3.Error as error:
        raise StateError(f"the audit cannot continue: {error}", snapshot.ROOM) from error
    finally:
        scratch.close()
