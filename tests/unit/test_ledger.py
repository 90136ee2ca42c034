"""The ledger: an entry is there wholly or not at all, survives its process, and belongs to one."""

import resource
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.errors import StateError
from logrouter.ledger.decided import GATHERED
from logrouter.ledger.ledger import INGRESS, Counted, FileState, Ledger, LedgerEntry
from logrouter.support.filesystem import Lock
from logrouter.wire.ranges import Ranges


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def entry(*ranges: tuple[int, int], source: str = "a") -> LedgerEntry:
    made = LedgerEntry()
    made.add_decided(INGRESS, source, ranges)
    return made


def test_extents_grow_over_commits_and_restarts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.commit(entry((0, 10)))
    ledger.commit(entry((20, 30)))
    ledger.close()
    again = Ledger(tmp_path)
    again.commit(entry((10, 20)))
    assert list(again.extents(INGRESS, "a")) == [(0, 30)]
    assert list(again.extents(INGRESS, "b")) == []
    assert list(again.extents("oncall", "a")) == []
    again.close()


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)).map(lambda drawn: (drawn[0], sum(drawn))), max_size=4)


@settings(max_examples=30, deadline=None)  # each syncs to a disk
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), spans), max_size=10), st.booleans())
def test_ranges_grow_together_as_extents_do(commits: list[tuple[str, list[tuple[int, int]]]], is_folded: bool) -> None:
    with TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory))
        model: dict[str, Ranges] = {"a": Ranges(), "b": Ranges()}
        for source, ranges in commits:
            ledger.commit(entry(*ranges, source=source))
            for start, end in ranges:
                model[source].add(start, end)
            if is_folded:
                ledger._fold_at = 0.0
                ledger.fold(time.time() + 40 * 86_400)
        for source, extents in model.items():
            assert list(ledger.extents(INGRESS, source)) == list(extents)
        ledger.close()


def test_of_what_is_gathered_the_last_ranges_are_kept(ledger: Ledger) -> None:
    for begin in range(0, 3000, 500):
        made = LedgerEntry()
        made.add_decided("oncall", "a", ((10 * number, 10 * number + 5) for number in range(begin, begin + 500)))
        ledger.commit(made)
    kept = list(ledger.extents("oncall", "a"))
    assert len(kept) == GATHERED
    assert kept[0] == (20_000, 20_005)
    assert kept[-1] == (29_990, 29_995)


def test_a_commit_costs_what_it_changes_and_not_what_there_is(ledger: Ledger) -> None:
    def steps() -> int:
        found = 0

        def count() -> int:
            nonlocal found
            found += 1
            return 0

        ledger._writer.set_progress_handler(count, 1)
        ledger.commit(entry((1_000_000 + 10 * found, 1_000_000 + 10 * found + 10)))
        ledger._writer.set_progress_handler(None, 1)
        return found

    ledger.commit(entry((0, 5)))
    few = steps()
    ledger.commit(entry(*((10 * number, 10 * number + 5) for number in range(5000))))
    assert steps() <= 1.25 * few


def test_counts_add_up(ledger: Ledger) -> None:
    counted = Counted("a", "archive", "2026-11-22", "web", "h")
    for records in (2, 3):
        made = entry((0, 10))
        made.counts[counted] = records
        ledger.commit(made)
    assert ledger.counts() == {counted: 5}


def test_files_are_as_last_committed(ledger: Ledger) -> None:
    first = FileState("archive", "web/h/x.gz", 1, length=10)
    ledger.commit(LedgerEntry(files=[first, FileState("archive", "web/h/x.gz", 2)]))
    last = FileState("archive", "web/h/x.gz", 1, state="finished", length=20)
    ledger.commit(LedgerEntry(files=[last]))
    assert list(ledger.files("archive", "finished")) == [last]
    assert [file.segment for file in ledger.files("archive", "open", "finished")] == [1, 2]
    assert ledger.last_segment("archive", "web/h/x.gz") == 2
    assert ledger.last_segment("other", "web/h/x.gz") == 0


def test_foreign_ids_are_remembered_for_a_while(ledger: Ledger) -> None:
    ledger.commit(LedgerEntry(seen={"id": 1000}))
    assert ledger.seen("id", since=1000)
    assert not ledger.seen("id", since=1001)
    ledger.forget_seen(1001)
    assert not ledger.seen("id", since=0)


def test_a_failed_entry_leaves_nothing(ledger: Ledger) -> None:
    made = entry((0, 10))
    made.files.append(FileState("archive", "x", 1, state=None))  # type: ignore[arg-type]  # refused by the schema
    with pytest.raises(sqlite3.Error):
        ledger.commit(made)
    assert not ledger.extents(INGRESS, "a")
    ledger.commit(entry((0, 5)))
    assert list(ledger.extents(INGRESS, "a")) == [(0, 5)]


def test_two_processes_cannot_have_it(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(StateError, match="held by process"):
        Ledger(tmp_path)
    Ledger(tmp_path, "other-instance").close()


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "main.ledger") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="newer logrouter"):
        Ledger(tmp_path)


def test_it_is_private(tmp_path: Path) -> None:
    Ledger(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state" / "main.ledger").stat().st_mode & 0o077 == 0


def test_a_disk_that_refuses_is_named_and_the_ledger_goes_on(ledger: Ledger) -> None:
    ledger.commit(entry((0, 10)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(sqlite3.Error, match="disk"):
            ledger.commit(entry(*((start, start + 1) for start in range(20, 2000, 2))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(ledger.extents(INGRESS, "a")) == [(0, 10)]
    ledger.commit(entry((10, 20)))
    assert list(ledger.extents(INGRESS, "a")) == [(0, 20)]


def test_a_file_that_is_no_ledger_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "main.ledger").write_bytes(b"no database at all " * 100)
    with pytest.raises(StateError, match=r"cannot open .*main\.ledger: file is not a database"):
        Ledger(tmp_path)
    Lock(tmp_path / "main.lock").release()
