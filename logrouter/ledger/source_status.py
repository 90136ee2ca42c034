"""How one source stands: what its shipper says, held against what is decided. Pure, but for the way to read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from logrouter.ledger import decided as ranges
from logrouter.ledger.entry import DECIDED, INGRESS
from logrouter.wire.ranges import Ranges
from logrouter.wire.statement import SourceStatement

STATED_COLUMNS = "source, input, path, start, read, confirmed, lines, by_line"
SOURCE_COLUMNS = "repeated, late, folded, shared, dismissed"


@dataclass(frozen=True)
class SourceStatus:
    """A source.

    stated: by its shipper, None if by nobody.   decided: its positions.   records: how many were decided.
    repeated: records that came again.   late: windows out of their order.   folded: of `records`, those that were
    counted before it was folded away and came back.   shared: other instances have parts of it.
    dismissed: up to where an operator dismissed what is missing.
    """

    stated: SourceStatement | None = None
    decided: Ranges = field(default_factory=Ranges)
    records: int = 0
    repeated: int = 0
    late: int = 0
    folded: int = 0
    shared: bool = False
    dismissed: int = 0

    @cached_property
    def gaps(self) -> list[tuple[int, int]]:
        """What was confirmed and is not decided; without a statement, what lies between decided positions."""
        begin = self.stated.start if self.stated else self.decided.start
        end = max(self.stated.confirmed if self.stated else 0, self.decided.end)
        return self.decided.missing(max(begin, self.dismissed), end)

    @property
    def lines_short(self) -> int:
        """How many fewer records were decided than were stated, though all their positions were; 0 where that may be.

        Where a record has several lines it may be cut otherwise when it comes again: only more than came again is too
        few. Of a source that is shared, or that lacks some positions, nobody can say.
        """
        if self.stated is None or self.shared or self.dismissed or self.gaps:
            return 0
        short = self.stated.lines - self.records
        if self.stated.by_line or (short > self.repeated and not self.folded):
            return max(short, 0)
        return 0

    @property
    def unconfirmed(self) -> int:
        """Bytes that were published, of which nobody knows what became."""
        if self.stated is None or self.stated.read <= max(self.stated.confirmed, self.decided.end):
            return 0
        return self.stated.read - self.stated.confirmed


def statement_of(row: tuple[Any, ...]) -> SourceStatement:
    """A row of STATED_COLUMNS."""
    source, told_by, path, start, read, confirmed, lines, by_line = row
    return SourceStatement(
        source=source,
        input=told_by,
        path=path,
        start=start,
        read=read,
        confirmed=confirmed,
        lines=lines,
        by_line=bool(by_line),
    )


def of_rows(stated: tuple[Any, ...] | None, decided: Ranges, counted: int, known: Iterable[int | None]) -> SourceStatus:
    """A source of which the ledger has these rows. counted: records.   known: of SOURCE_COLUMNS."""
    repeated, late, folded, shared, dismissed = (each or 0 for each in known)
    return SourceStatus(
        stated=statement_of(stated) if stated else None,
        decided=decided,
        records=counted + folded,
        repeated=repeated,
        late=late,
        folded=folded,
        shared=bool(shared),
        dismissed=dismissed,
    )


def read(cursor: sqlite3.Cursor, source: str) -> SourceStatus:
    """How a source stands; empty for one never met."""
    stated = cursor.execute(f"SELECT {STATED_COLUMNS} FROM stated WHERE source = ?", (source,)).fetchone()  # noqa: S608  # our own columns
    known = cursor.execute(
        f"SELECT {SOURCE_COLUMNS} FROM sources WHERE stage = ? AND source = ?",  # noqa: S608  # our own columns
        (INGRESS, source),
    ).fetchone()
    counted = cursor.execute(
        "SELECT coalesce(sum(records), 0) FROM counts WHERE source = ? AND destination = ?", (source, DECIDED)
    ).fetchone()[0]
    return of_rows(stated, ranges.read(cursor, INGRESS, source), counted, known or (0, 0, 0, 0, 0))
