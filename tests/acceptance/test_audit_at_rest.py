"""An audit over what is folded: exact, whatever is alive and whatever is not."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Command
from logrouter.ledger import ledger as ledger_module
from logrouter.ledger.ledger import Ledger

LINES = 100


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "web.log"
    path.write_text("".join(f"INFO line {number:02}\n" for number in range(LINES)))
    return path


def ship(logrouter: Command, log: Path) -> None:
    result = logrouter("up", "--drain", "--file", f"web={log}", "--host", "w1")
    assert result.returncode == 0, result.stderr


def fold(state: Path) -> None:
    """As it will be after a month."""
    ledger = Ledger(state)
    ledger.fold(time.time() + 31 * 86_400)
    ledger.close()


@pytest.fixture
def folded(logrouter: Command, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of what `up` has made of a file that is at rest."""
    ship(logrouter, log)
    monkeypatch.setattr(ledger_module, "SETTLING", 0.0)
    fold(tmp_path / "state")
    return tmp_path / "state"


def audit(logrouter: Command, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(logrouter("audit", "--json", *options).stdout)
    return report


def change(state: Path, statement: str) -> None:
    connection = sqlite3.connect(state / "main.ledger")
    with connection:
        assert connection.execute(statement).rowcount
    connection.close()


def test_it_is_whole(logrouter: Command, folded: Path) -> None:
    report = audit(logrouter)
    assert (report["status"], report["decided"], report["at_rest"]) == (0, LINES, LINES)
    assert (report["destinations"], report["archived"]) == ({"archive": LINES}, {"archive": LINES})
    assert report["sources"] == []
    words = logrouter("audit").stdout
    assert "  at rest                    100  of these, from sources that are now kept only as totals" in words
    assert "ok: every line is accounted for" in words


def test_so_is_a_day_of_it(logrouter: Command, folded: Path) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    assert (audit(logrouter, "--since", day)["status"], audit(logrouter, "--since", day)["decided"]) == (0, LINES)
    assert audit(logrouter, "--until", day, "--host", "w1")["status"] == 0


def test_a_record_too_few_or_too_many_is_found(logrouter: Command, folded: Path) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    change(folded, "UPDATE totals SET records = records + 1 WHERE destination = 'archive'")
    assert [audit(logrouter, *options)["missing"] for options in ((), ("--since", day))] == [1, 1]
    change(folded, "UPDATE totals SET records = records - 2 WHERE destination = 'archive'")
    assert audit(logrouter)["twice"] == 1


def test_what_is_new_is_held_against_all_that_was(logrouter: Command, folded: Path, log: Path) -> None:
    with log.open("a") as opened:
        opened.write("INFO a further line\n")
    ship(logrouter, log)
    report = audit(logrouter)
    assert (report["status"], report["decided"], report["at_rest"]) == (0, LINES + 1, LINES)
    (source,) = report["sources"]
    assert (source["lines"], source["decided"], source["archived"]) == (LINES + 1, 1, {"archive": LINES + 1})
    change(folded, "UPDATE sources SET folded = folded - 1")
    assert audit(logrouter)["missing"] == 1


def test_what_comes_again_is_dropped(logrouter: Command, folded: Path, log: Path) -> None:
    positions = folded / "shipper/positions.json"
    before = positions.read_bytes()
    with log.open("a") as opened:
        opened.write("INFO a further line\n")
    ship(logrouter, log)
    fold(folded)
    positions.write_bytes(before)
    ship(logrouter, log)
    report = audit(logrouter)
    assert (report["status"], report["decided"], report["repeated"]) == (0, LINES + 1, 1)
    assert report["archived"] == {"archive": LINES + 1}


def test_a_source_that_is_known_no_longer_and_whose_records_are_new_was_never_decided(
    logrouter: Command, folded: Path
) -> None:
    change(folded, "DELETE FROM folded")
    report = audit(logrouter)
    assert (report["status"], report["altered"]) == (1, LINES)


def test_names_need_not_be_known(logrouter: Command, folded: Path) -> None:
    change(folded, "UPDATE totals SET service = '', host = ''")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    assert [audit(logrouter, *options)["status"] for options in ((), ("--since", day), ("--host", "w1"))] == [0, 0, 0]
