"""The statements in the ledger: the last ones of each reporter, and for each source the one that is furthest.

A shipper may resume from an older state, so a statement that is behind the known one is ignored. A reporter that states
more than MOST_SOURCES sources loses the oldest of them, because statements must not make the ledger grow without limit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from logrouter.ledger import compacted as folded
from logrouter.ledger.entry import DAY, INGRESS
from logrouter.observability import events
from logrouter.wire.statement import EXCEPTIONS, ROUTER, SourceStatement, Statement

MOST_SOURCES = 200_000
"""Sources kept of one reporter."""

PROCESSES = 3
"""Processes of a reporter whose statements are kept. The last one of a process may come after the first of the next."""

REMEMBERED = 30
"""Days without change after which a source counts as at rest. A destination's queue that holds a message for longer can
deliver it twice."""


class _Counts(msgspec.Struct):
    """The part of a stored statement that is read, whatever version wrote it."""

    kind: str = ""
    counted: dict[str, float] = {}

    @property
    def exceptions(self) -> dict[str, int]:
        """What a shipper counted because it cannot be promised, by name.

        It is empty for a router: in one process, shipper and router both state what either has counted.
        """
        found = {name: int(amount) for name in EXCEPTIONS if (amount := self.counted.get(name))}
        return {} if self.kind == ROUTER else found


_counts = msgspec.json.Decoder(_Counts)

_EXCEPTION = "exception "
"""Prefix of the names of exceptions in `tallies`."""


def write(cursor: sqlite3.Cursor, statements: Iterable[Statement], today: int) -> None:
    """Store statements. today: days since 1970."""
    for each in statements:
        _write_process(cursor, each)
        inserted = sum(_write_source(cursor, each, source, today) for source in each.sources)
        if inserted:
            _limit(cursor, each.reporter)


def _write_process(cursor: sqlite3.Cursor, statement: Statement) -> None:
    own = msgspec.json.encode(msgspec.structs.replace(statement, sources=[])).decode()
    cursor.execute(
        "INSERT INTO statements VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at,"
        " statement = excluded.statement WHERE excluded.at >= at",
        (statement.reporter, statement.started, statement.at, own),
    )
    older = cursor.execute(
        "SELECT reporter, started, statement FROM statements WHERE reporter = ? ORDER BY at DESC LIMIT -1 OFFSET ?",
        (statement.reporter, PROCESSES),
    )
    fold_processes(cursor, older.fetchall())


def fold_processes(cursor: sqlite3.Cursor, rows: Iterable[tuple[str, float, str]]) -> None:
    """Delete statements, keeping the exceptions that they counted. rows: (reporter, started, statement)."""
    for reporter, started, text in rows:
        for name, amount in _counts.decode(text).exceptions.items():
            tally(cursor, _EXCEPTION + name, amount)
        cursor.execute("DELETE FROM statements WHERE reporter = ? AND started = ?", (reporter, started))


def tally(cursor: sqlite3.Cursor, name: str, amount: int) -> None:
    """Add to a count that is kept for good."""
    cursor.execute(
        "INSERT INTO tallies VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount", (name, amount)
    )


def tallies(cursor: sqlite3.Cursor, schema: str = "main") -> dict[str, int]:
    """Return the counts that are kept for good, without exceptions."""
    rows = cursor.execute(f"SELECT name, amount FROM {schema}.tallies")  # noqa: S608  # our own name
    return {name: int(amount) for name, amount in rows if not name.startswith(_EXCEPTION)}


def exceptions(cursor: sqlite3.Cursor, schema: str = "main") -> dict[str, int]:
    """Return what shippers counted because it cannot be promised, by name."""
    rows = cursor.execute(f"SELECT name, amount FROM {schema}.tallies").fetchall()  # noqa: S608  # our own name
    totals = {name.removeprefix(_EXCEPTION): int(amount) for name, amount in rows if name.startswith(_EXCEPTION)}
    for (text,) in cursor.execute(f"SELECT statement FROM {schema}.statements"):  # noqa: S608  # our own name
        for name, amount in _counts.decode(text).exceptions.items():
            totals[name] = totals.get(name, 0) + amount
    return {name: totals[name] for name in EXCEPTIONS if name in totals}


def _write_source(cursor: sqlite3.Cursor, statement: Statement, source: SourceStatement, today: int) -> bool:
    """Store what a statement says of a source. Report whether the source was not stated before."""
    known = cursor.execute(
        "SELECT input, path, start, read, confirmed, lines, by_line, at FROM stated WHERE source = ?", (source.source,)
    ).fetchone()
    said = (source.input, source.path, source.start, source.read, source.confirmed, source.lines, int(source.by_line))
    if known is None:
        return _begin(cursor, statement, source.source, said, today)
    says_more = source.confirmed >= known[4] and (said != known[:-1] or statement.at > known[-1] + DAY)
    if says_more:
        cursor.execute(
            "UPDATE stated SET reporter = ?, at = ?, input = ?, path = ?, start = ?, read = ?, confirmed = ?,"
            " lines = ?, by_line = ? WHERE source = ?",
            (statement.reporter, statement.at, *said, source.source),
        )
    return False


def _begin(
    cursor: sqlite3.Cursor,
    statement: Statement,
    source: str,
    said: tuple[str, str, int, int, int, int, int],
    today: int,
) -> bool:
    """Store the first statement of a source and return True, unless the source is at rest and it says nothing new."""
    past, confirmed = folded.find(cursor, source), said[4]
    if past is not None:
        if past.day < today - REMEMBERED:
            folded.touch(cursor, source, today)
        if confirmed <= past.stop:
            return False
    # Dismiss no more than is stated from now on: what was dismissed may have been made up, and must not hide a loss.
    cursor.execute(
        "UPDATE sources SET dismissed = ?1, day = ?2 WHERE stage = ?3 AND source = ?4 AND dismissed > ?1",
        (confirmed, today, INGRESS, source),
    )
    cursor.execute(
        "INSERT INTO stated VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (source, statement.reporter, statement.at, *said)
    )
    return True


def _limit(cursor: sqlite3.Cursor, reporter: str) -> None:
    stated = cursor.execute("SELECT count(*) FROM stated WHERE reporter = ?", (reporter,)).fetchone()[0]
    if stated > MOST_SOURCES:
        cursor.execute(
            "DELETE FROM stated WHERE source IN (SELECT source FROM stated WHERE reporter = ? ORDER BY at LIMIT ?)",
            (reporter, stated - MOST_SOURCES),
        )
        tally(cursor, "statements dropped", stated - MOST_SOURCES)
        events.STATED_TOO_MUCH.happened(reporter=reporter, most=MOST_SOURCES)
