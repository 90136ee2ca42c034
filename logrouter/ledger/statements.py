"""Statements -> the ledger: the last of each process, and of each source the one that says most.

A shipper may start from behind, so what says less than is known says nothing. Whoever states more sources than anybody
has loses the oldest of them: what others say must not make the ledger grow without end.
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
"""Of one reporter."""

PROCESSES = 3
"""Of a reporter, whose statements are kept: of the one that runs, and of those whose last may come behind its first."""

REMEMBERED = 30
"""Days after which what is at rest is let go. A queue that held a message for longer could bring it twice."""


class _Counts(msgspec.Struct):
    """What is needed of the statements that are kept, whatever their version was."""

    kind: str = ""
    counted: dict[str, float] = {}

    @property
    def exceptions(self) -> dict[str, int]:
        """What a shipper could not promise. In one process with a router both say what either has counted."""
        found = {name: int(amount) for name in EXCEPTIONS if (amount := self.counted.get(name))}
        return {} if self.kind == ROUTER else found


_counts = msgspec.json.Decoder(_Counts)

_EXCEPTION = "exception "
"""Before the name of what shippers count, in the tallies."""


def write(cursor: sqlite3.Cursor, statements: Iterable[Statement], today: int) -> None:
    """Keep what these say. today: days since 1970."""
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
    """Keep no more of processes that have ended than what they counted. rows: (reporter, started, statement)."""
    for reporter, started, text in rows:
        for name, amount in _counts.decode(text).exceptions.items():
            tally(cursor, _EXCEPTION + name, amount)
        cursor.execute("DELETE FROM statements WHERE reporter = ? AND started = ?", (reporter, started))


def tally(cursor: sqlite3.Cursor, name: str, amount: int) -> None:
    """Add to what is counted for good."""
    cursor.execute(
        "INSERT INTO tallies VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount", (name, amount)
    )


def tallies(cursor: sqlite3.Cursor, schema: str = "main") -> dict[str, int]:
    """What is counted for good, but for exceptions."""
    rows = cursor.execute(f"SELECT name, amount FROM {schema}.tallies")  # noqa: S608  # our own name
    return {name: int(amount) for name, amount in rows if not name.startswith(_EXCEPTION)}


def exceptions(cursor: sqlite3.Cursor, schema: str = "main") -> dict[str, int]:
    """What shippers have counted because nobody could promise it, by name."""
    rows = cursor.execute(f"SELECT name, amount FROM {schema}.tallies").fetchall()  # noqa: S608  # our own name
    totals = {name.removeprefix(_EXCEPTION): int(amount) for name, amount in rows if name.startswith(_EXCEPTION)}
    for (text,) in cursor.execute(f"SELECT statement FROM {schema}.statements"):  # noqa: S608  # our own name
        for name, amount in _counts.decode(text).exceptions.items():
            totals[name] = totals.get(name, 0) + amount
    return {name: totals[name] for name in EXCEPTIONS if name in totals}


def _write_source(cursor: sqlite3.Cursor, statement: Statement, source: SourceStatement, today: int) -> bool:
    """Whether it was not stated before."""
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
    """Note a source, unless it is at rest and this says nothing new of it."""
    past, confirmed = folded.find(cursor, source), said[4]
    if past is not None:
        if past.day < today - REMEMBERED:
            folded.touch(cursor, source, today)
        if confirmed <= past.stop:
            return False
    # What an operator dismissed is no more than what is stated from then on: that which was may have been made up.
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
