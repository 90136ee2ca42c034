"""Statements in the ledger: of each source the one that says most, of each reporter no more than it may have."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logrouter.errors import StateError
from logrouter.ledger import dismissal as forgetting
from logrouter.ledger import statements as stating
from logrouter.ledger.entry import INGRESS, LedgerEntry
from logrouter.ledger.ledger import Ledger
from logrouter.observability import events
from logrouter.wire.statement import SourceStatement, Statement


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def rows(ledger: Ledger, query: str) -> list[Any]:
    connection = sqlite3.connect(ledger.directory / "main.ledger")
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def say(ledger: Ledger, *sources: tuple[str, int], reporter: str = "rep", at: float = 1000.0) -> None:
    """That these are confirmed up to there."""
    its = [
        SourceStatement(source=name, input="web", path="/w", start=0, read=end, confirmed=end, lines=0)
        for name, end in sources
    ]
    statement = Statement(
        kind="shipper", reporter=reporter, host="h", version="1", config="c", started=1.0, at=at, sources=its
    )
    ledger.commit(LedgerEntry(statements=[statement]))


def decide(ledger: Ledger, source: str, *ranges: tuple[int, int]) -> None:
    entry = LedgerEntry()
    entry.add_decided(INGRESS, source, ranges)
    ledger.commit(entry)


def test_the_one_that_says_most_is_kept(ledger: Ledger) -> None:
    for confirmed in (100, 50, 150):
        say(ledger, ("a", confirmed))
    assert rows(ledger, "SELECT source, confirmed FROM stated") == [("a", 150)]


def test_what_says_nothing_new_is_not_written_again_on_the_same_day(ledger: Ledger) -> None:
    say(ledger, ("a", 100), at=1000.0)
    say(ledger, ("a", 100), at=2000.0)
    assert rows(ledger, "SELECT at FROM stated") == [(1000.0,)]
    say(ledger, ("a", 100), at=100_000.0)
    assert rows(ledger, "SELECT at FROM stated") == [(100_000.0,)]


def test_who_states_too_much_loses_the_oldest(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stating, "MOST_SOURCES", 3)
    before = events.STATED_TOO_MUCH.count()
    say(ledger, ("other", 1), reporter="other", at=1.0)
    for number in range(5):
        say(ledger, (f"{number}", 1), at=1000.0 + number)
    assert rows(ledger, "SELECT source FROM stated ORDER BY source") == [("2",), ("3",), ("4",), ("other",)]
    assert rows(ledger, "SELECT * FROM tallies") == [("statements dropped", 2)]
    assert events.STATED_TOO_MUCH.count() == before + 2


def test_forgetting_a_source_that_was_made_up(ledger: Ledger) -> None:
    say(ledger, ("forged", 1 << 62))
    with forgetting.opened(ledger.directory, "main") as opened:  # while a router has it
        dismissed = opened.forget("forged")
        assert dismissed is not None
        assert dismissed.missing == 1 << 62
        assert opened.forget("unknown") is None
    assert rows(ledger, "SELECT * FROM stated") == []


def test_what_is_stated_after_something_was_dismissed_says_how_much_of_it_was_true(ledger: Ledger) -> None:
    decide(ledger, "a", (0, 40))
    say(ledger, ("a", 1 << 62))
    with forgetting.opened(ledger.directory, "main") as opened:
        opened.forget("a")
    say(ledger, ("a", 100))
    assert rows(ledger, "SELECT dismissed FROM sources") == [(100,)]
    say(ledger, ("a", 150))
    assert rows(ledger, "SELECT dismissed FROM sources") == [(100,)]
    decide(ledger, "a", (40, 50))
    assert list(ledger.extents(INGRESS, "a")) == [(0, 50)]  # what comes late is written all the same


def test_forgetting_all_that_somebody_states(ledger: Ledger) -> None:
    say(ledger, *((f"{number:04}", 10) for number in range(1200)), reporter="forger")
    say(ledger, ("true", 10))
    with forgetting.opened(ledger.directory, "main") as opened:
        assert sum(1 for _ in opened.forget_reporter("forger")) == 1200
        assert list(opened.forget_reporter("nobody")) == []
    assert rows(ledger, "SELECT source FROM stated") == [("true",)]
    assert rows(ledger, "SELECT reporter FROM statements") == [("rep",)]


def test_a_ledger_of_another_version_is_left_alone(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.directory / "main.ledger")
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    with forgetting.opened(ledger.directory, "main") as opened, pytest.raises(StateError, match="version 4"):
        opened.forget("a")


def test_there_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no ledger"), forgetting.opened(tmp_path, "main"):
        pass
