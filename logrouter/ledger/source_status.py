"""The status of one source: what its shipper states, compared with what is decided. Pure, except for `read`."""

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
    """The status of a source.

    stated: what its shipper states, None if nothing.   decided: its decided positions.
    records: how many were decided.   repeated: records that came again.   late: windows out of order.
    folded: those of `records` that were counted before the source was folded and restored.
    shared: whether other instances take parts of it.   dismissed: up to where an operator dismissed what is missing.
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
        """The ranges that were confirmed and are not decided. Without a statement, those between decided positions."""
        begin = self.stated.start if self.stated else self.decided.start
        end = max(self.stated.confirmed if self.stated else 0, self.decided.end)
        return self.decided.missing(max(begin, self.dismissed), end)

    @property
    def lines_short(self) -> int:
        """The number of lines that were stated and not decided, although all their positions were.

        A record of several lines may be cut differently when it is read again. For such sources the number is 0 unless
        it exceeds the repeated records. It is also 0 for a source that is shared, was dismissed, or lacks positions,
        because nothing can be said of its lines.
        """
        if self.stated is None or self.shared or self.dismissed or self.gaps:
            return 0
        short = self.stated.lines - self.records
        if self.stated.by_line or (short > self.repeated and not self.folded):
            return max(short, 0)
        return 0

    @property
    def unconfirmed(self) -> int:
        """The bytes that were published and not confirmed, 0 once everything up to the last of them is decided."""
        if self.stated is None or self.stated.read <= max(self.stated.confirmed, self.decided.end):
            return 0
        return self.stated.read - self.stated.confirmed


def statement_of(row: tuple[Any, ...]) -> SourceStatement:
    """Make a statement of a row of STATED_COLUMNS."""
    source, input_, path, start, read, confirmed, lines, by_line = row
    return SourceStatement(
        source=source,
        input=input_,
        path=path,
        start=start,
        read=read,
        confirmed=confirmed,
        lines=lines,
        by_line=bool(by_line),
    )


def status_from_rows(
    stated: tuple[Any, ...] | None, decided: Ranges, counted: int, known: Iterable[int | None]
) -> SourceStatus:
    """Make the status of a source from its rows. counted: records in `counts`.   known: SOURCE_COLUMNS, None as 0."""
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
    """Return the status of a source. It is empty for an unknown source."""
    stated = cursor.execute(f"SELECT {STATED_COLUMNS} FROM stated WHERE source = ?", (source,)).fetchone()  # noqa: S608  # our own columns
    known = cursor.execute(
        f"SELECT {SOURCE_COLUMNS} FROM sources WHERE stage = ? AND source = ?",  # noqa: S608  # our own columns
        (INGRESS, source),
    ).fetchone()
    counted = cursor.execute(
        "SELECT coalesce(sum(records), 0) FROM counts WHERE source = ? AND destination = ?", (source, DECIDED)
    ).fetchone()[0]
    return status_from_rows(stated, ranges.read(cursor, INGRESS, source), counted, known or (0, 0, 0, 0, 0))
