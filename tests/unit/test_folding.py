"""What is at rest is folded into totals: sums stay, what comes again is known, and what lacks something stays."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logrouter.ledger import dismissal as forgetting
from logrouter.ledger import ledger as ledger_module
from logrouter.ledger.compaction import AT_ONCE, FORGOTTEN, NAMED
from logrouter.ledger.entry import DECIDED, INGRESS, Counted, FileState, LedgerEntry
from logrouter.ledger.ledger import Ledger
from logrouter.ledger.statements import REMEMBERED
from logrouter.wire.statement import SourceStatement, Statement

DAY = 86_400
MINTED = "0123456789abcdef"
NOW = time.time()


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setattr(ledger_module, "SETTLING", 0.0)
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def fold(ledger: Ledger, days: float, steps: int = 3) -> None:
    """So many steps, so many days from now."""
    for _ in range(steps):
        ledger.fold(NOW + days * DAY)


def rows(ledger: Ledger, table: str) -> list[Any]:
    connection = sqlite3.connect(ledger.directory / "main.ledger")
    found = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.close()
    return found


def decided(source: str = MINTED, *ranges: tuple[int, int], records: int = 10, day: str = "2026-11-22") -> LedgerEntry:
    entry = LedgerEntry()
    entry.add_decided(INGRESS, source, ranges or ((0, 100),))
    for destination in (DECIDED, "archive"):
        entry.counts[Counted(source, destination, day, "web", "h1")] = records
    return entry


def stated(
    source: str = MINTED, confirmed: int = 100, lines: int = 10, *, at: float = NOW, read: int = 0
) -> LedgerEntry:
    its = SourceStatement(
        source=source, input="web", path="/w", start=0, read=read or confirmed, confirmed=confirmed, lines=lines,
        by_line=True,
    )  # fmt: skip
    return LedgerEntry(statements=[process(1.0, at, sources=[its])])


def process(started: float, at: float, **said: Any) -> Statement:
    return Statement(kind="shipper", reporter="rep", host="h1", version="1", config="c", started=started, at=at, **said)


def totals(ledger: Ledger) -> dict[str, int]:
    """Records by destination, alive and folded."""
    found: dict[str, int] = {}
    for _, destination, _, _, _, records in rows(ledger, "counts"):
        found[destination] = found.get(destination, 0) + records
    for _, destination, _, _, records in rows(ledger, "totals"):
        found[destination] = found.get(destination, 0) + records
    return found


@pytest.mark.parametrize("source", [MINTED, "of another program", "0123456789ABCDEF", "é"])
def test_a_source_at_rest_leaves_no_more_than_how_far_it_was(ledger: Ledger, source: str) -> None:
    ledger.commit(decided(source))
    ledger.commit(stated(source))
    fold(ledger, REMEMBERED - 1)
    assert rows(ledger, "folded") == []
    fold(ledger, REMEMBERED + 1)
    assert [rows(ledger, table) for table in ("ranges", "sources", "stated", "counts")] == [[], [], [], []]
    assert len(rows(ledger, "folded")) == 1
    assert totals(ledger) == {DECIDED: 10, "archive": 10}
    assert list(ledger.extents(INGRESS, source)) == [(0, 100)]
    assert list(ledger.extents(INGRESS, source + "x")) == []


def test_what_is_new_of_a_source_at_rest_brings_it_back(ledger: Ledger) -> None:
    ledger.commit(decided())
    fold(ledger, REMEMBERED + 1)
    ledger.commit(decided(MINTED, (100, 150), records=5))
    assert list(ledger.extents(INGRESS, MINTED)) == [(0, 150)]
    assert rows(ledger, "folded") == []
    assert totals(ledger) == {DECIDED: 15, "archive": 15}
    ledger.commit(stated(confirmed=150, lines=15))
    fold(ledger, REMEMBERED + 1)
    (past,) = rows(ledger, "folded")
    assert past[1:4] == (0, 150, 15)
    assert totals(ledger) == {DECIDED: 15, "archive": 15}


def test_a_late_part_below_brings_it_back_as_well(ledger: Ledger) -> None:
    ledger.commit(decided(MINTED, (50, 100)))
    fold(ledger, REMEMBERED + 1)
    ledger.commit(decided(MINTED, (10, 20), records=1))
    assert list(ledger.extents(INGRESS, MINTED)) == [(10, 20), (50, 100)]


@pytest.mark.parametrize(
    ("entries", "given_up"),
    [
        pytest.param([decided(MINTED, (0, 100), (150, 200))], {"bytes given up": 50}, id="a gap"),
        pytest.param([decided(), stated(confirmed=200)], {"bytes given up": 100}, id="its end"),
        pytest.param([decided(), stated(lines=11)], {"lines given up": 1}, id="a line"),
        pytest.param([decided(), stated(read=150)], {}, id="a word on what was published"),
    ],
)
def test_a_source_that_lacks_something_stays_for_a_year(
    ledger: Ledger, entries: list[LedgerEntry], given_up: dict[str, int]
) -> None:
    for entry in entries:
        ledger.commit(entry)
    fold(ledger, FORGOTTEN - 1)
    assert rows(ledger, "folded") == []
    fold(ledger, FORGOTTEN + 1)
    assert len(rows(ledger, "folded")) == 1
    assert totals(ledger) == {DECIDED: 10, "archive": 10}
    assert dict(rows(ledger, "tallies")) == given_up


def test_what_was_dismissed_may_still_come(ledger: Ledger) -> None:
    ledger.commit(decided(MINTED, (0, 100), (150, 200)))
    with forgetting.opened(ledger.directory, "main") as opened:
        opened.forget(MINTED)
    fold(ledger, REMEMBERED + 1)
    assert list(ledger.extents(INGRESS, MINTED)) == [(0, 100), (150, 200)]
    ledger.commit(decided(MINTED, (100, 150)))
    fold(ledger, REMEMBERED + 1)
    assert len(rows(ledger, "folded")) == 1


def test_who_still_speaks_of_a_source_at_rest_says_nothing_new(ledger: Ledger) -> None:
    ledger.commit(decided())
    fold(ledger, REMEMBERED + 1)
    (before,) = rows(ledger, "folded")
    ledger.commit(stated())
    assert rows(ledger, "stated") == []
    ledger.commit(stated(confirmed=120, lines=12))
    assert len(rows(ledger, "stated")) == 1
    assert rows(ledger, "folded") == [before]


def test_a_source_is_remembered_for_a_year_and_longer_where_it_is_still_stated(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in (MINTED, "other"):
        ledger.commit(decided(source))
    fold(ledger, REMEMBERED + 1)
    monkeypatch.setattr(time, "time", lambda: NOW + 200 * DAY)
    ledger.commit(stated())
    fold(ledger, REMEMBERED + FORGOTTEN + 2)
    assert not ledger.extents(INGRESS, "other")
    assert list(ledger.extents(INGRESS, MINTED)) == [(0, 100)]


def test_what_was_gathered_for_mail_is_let_go(ledger: Ledger) -> None:
    entry = LedgerEntry()
    entry.add_decided("oncall", MINTED, [(0, 10), (20, 30)])
    ledger.commit(entry)
    fold(ledger, REMEMBERED - 1)
    assert list(ledger.extents("oncall", MINTED)) == [(0, 10), (20, 30)]
    fold(ledger, REMEMBERED + 1)
    assert rows(ledger, "ranges") == rows(ledger, "folded") == []


def test_repeats_and_late_windows_are_still_counted(ledger: Ledger) -> None:
    entry = decided()
    entry.repeated[INGRESS, MINTED] = 3
    entry.late[INGRESS, MINTED] = 2
    ledger.commit(entry)
    fold(ledger, REMEMBERED + 1)
    again = LedgerEntry()
    again.repeated[INGRESS, MINTED] = 4  # a redelivery of what is known
    ledger.commit(again)
    fold(ledger, REMEMBERED + 1)
    assert rows(ledger, "sources") == []
    assert dict(rows(ledger, "tallies")) == {"repeated": 7, "late": 2}
    assert rows(ledger, "folded")[0][4] == 2


def test_records_of_no_source_are_folded_by_their_day(ledger: Ledger) -> None:
    old = time.strftime("%Y-%m-%d", time.gmtime(NOW - (REMEMBERED + 1) * DAY))
    new = time.strftime("%Y-%m-%d", time.gmtime(NOW))
    for day in (old, new):
        ledger.commit(LedgerEntry(counts={Counted("-", DECIDED, day, "web", "h1"): 7}))
    fold(ledger, 0)
    assert [row[2] for row in rows(ledger, "counts")] == [new]
    assert rows(ledger, "totals") == [(old, DECIDED, "web", "h1", 7)]


def test_files_that_are_kept_no_longer_are_a_sum(ledger: Ledger) -> None:
    states = ("removed", "removed", "finished", "damaged")
    files = [FileState("archive", f"{n}.gz", 1, state, "2026-11-22", records=5) for n, state in enumerate(states)]
    ledger.commit(LedgerEntry(files=files))
    fold(ledger, 0)
    assert rows(ledger, "removed") == [("2026-11-22", "archive", 10)]
    assert [row[3] for row in rows(ledger, "files")] == ["finished", "damaged"]


def test_of_processes_that_ended_what_they_counted_is_kept(ledger: Ledger) -> None:
    for started in range(10):
        said = process(float(started), NOW + started, counted={"shed": 2.0, "broker.lost": 1.0})
        for _ in range(2):
            ledger.commit(LedgerEntry(statements=[said]))
    assert [row[1] for row in rows(ledger, "statements")] == [7.0, 8.0, 9.0]
    assert dict(rows(ledger, "tallies")) == {"exception shed": 14}
    fold(ledger, REMEMBERED + 1)
    assert rows(ledger, "statements") == []
    assert dict(rows(ledger, "tallies")) == {"exception shed": 20}


def test_names_of_days_long_past_are_told_apart_no_longer(ledger: Ledger) -> None:
    for number, day in enumerate(("2026-10-30", "2026-10-30", "2026-11-01")):
        entry = decided(f"{number}", day=day)
        entry.counts[Counted(f"{number}", "archive", day, "mail", f"h{number}")] = 1
        ledger.commit(entry)
    fold(ledger, REMEMBERED + 1)
    assert len(rows(ledger, "totals")) == 7
    fold(ledger, 100 * NAMED)
    assert rows(ledger, "totals") == [
        ("2026-10-30", DECIDED, "", "", 20),
        ("2026-10-30", "archive", "", "", 22),
        ("2026-11-01", DECIDED, "", "", 10),
        ("2026-11-01", "archive", "", "", 11),
    ]


def test_a_stated_source_of_which_nothing_came_is_dropped_where_nothing_was_confirmed(ledger: Ledger) -> None:
    ledger.commit(stated("empty", confirmed=0, lines=0))
    ledger.commit(stated("lost"))
    fold(ledger, REMEMBERED + 1)
    assert [row[0] for row in rows(ledger, "stated")] == ["lost"]
    fold(ledger, FORGOTTEN + 1)
    assert rows(ledger, "stated") == []
    assert dict(rows(ledger, "tallies")) == {"bytes given up": 100}


def test_a_step_is_bounded_and_steps_go_round(ledger: Ledger) -> None:
    entry = LedgerEntry()
    for number in range(3 * AT_ONCE - 1):
        entry.add_decided(INGRESS, f"{number:016x}", [(0, 100)])
    ledger.commit(entry)
    for step in (1, 2):
        fold(ledger, REMEMBERED + 1, steps=1)
        assert len(rows(ledger, "folded")) == step * AT_ONCE
    fold(ledger, REMEMBERED + 1, steps=1)
    ledger.commit(decided("a"))
    fold(ledger, REMEMBERED + 1, steps=1)
    assert len(rows(ledger, "folded")) == 3 * AT_ONCE


def test_nothing_is_folded_while_a_start_is_fresh(tmp_path: Path) -> None:
    opened = Ledger(tmp_path)
    opened.commit(decided())
    fold(opened, REMEMBERED + 1)
    assert rows(opened, "folded") == []
    opened.close()
