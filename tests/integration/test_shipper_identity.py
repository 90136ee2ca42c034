"""Which file is which: over truncation, restart, and inodes that are used again."""

import json
import os
import shutil
from pathlib import Path

import pytest
from shipping import Reader, add, lines

from logrouter.observability.events import FILE_GONE, FILE_REWRITTEN
from logrouter.observability.metrics import UNREAD
from shippers.files.discovery import discover


@pytest.mark.parametrize("rewritten", [lines(500, 502), lines(500, 600)], ids=["shorter", "longer"])
def test_after_copytruncate_only_new_content_is_read_under_a_new_source(tmp_path: Path, rewritten: bytes) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn()
    add(reader.log, lines(50, 60))
    said = FILE_REWRITTEN.count()
    shutil.copy(reader.log, reader.log.with_name("app.log.1"))
    os.truncate(reader.log, 0)
    add(reader.log, rewritten)
    reader.turn()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 60), rewritten]
    assert FILE_REWRITTEN.count() == said


def test_what_a_truncation_took_before_it_was_read_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn()
    add(reader.log, lines(50, 70))
    reader.now += 1
    reader.scan()
    os.truncate(reader.log, 0)
    add(reader.log, lines(70, 80))
    reader.turn()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 50), lines(70, 80)]
    assert f"at byte {len(lines(0, 50))}; {len(lines(50, 70))} bytes were not read" in caplog.text


@pytest.mark.parametrize("rewritten", [lines(500, 502), lines(500, 600)], ids=["shorter", "longer"])
def test_what_a_truncation_took_before_anything_was_read_is_counted(tmp_path: Path, rewritten: bytes) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.scan()
    unread = UNREAD._value.get()
    os.truncate(reader.log, 0)
    add(reader.log, rewritten)
    reader.lap()
    reader.turn()
    assert reader.contents == [rewritten]
    assert UNREAD._value.get() == unread + len(lines(0, 50))


def test_the_loss_of_unread_lines_from_the_end_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 800))
    reader.scan()
    unread = UNREAD._value.get()
    os.truncate(reader.log, len(lines(0, 600)))
    reader.turn()
    assert reader.contents == [lines(0, 600)]
    assert UNREAD._value.get() == unread + len(lines(600, 800))


def test_what_a_truncation_took_before_it_was_confirmed_is_counted(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn(confirm=False)
    (old,) = reader.files
    os.truncate(reader.log, 0)
    reader.turn()
    assert any(saved.source == old.source for saved in reader.files.state().files)
    reader.turn()
    said = FILE_REWRITTEN.count()
    assert old.rewind(0.0) is False
    assert FILE_REWRITTEN.count() == said + 1
    reader.turn()
    assert not any(saved.source == old.source for saved in reader.files.state().files)


@pytest.mark.parametrize("rewritten", [lines(500, 502), lines(500, 600)], ids=["shorter", "longer"])
def test_copytruncate_while_stopped_gives_only_new_content(tmp_path: Path, rewritten: bytes) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn()
    reader.stop()
    shutil.copy(reader.log, f"{reader.log}.1")
    os.truncate(reader.log, 0)
    add(reader.log, rewritten)
    said = FILE_GONE.count()
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 50), rewritten]
    assert FILE_GONE.count() == said


def test_a_copy_made_by_copytruncate_is_not_read_though_the_stop_came_before_the_file_had_content_again(
    tmp_path: Path,
) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn()
    shutil.copy(reader.log, f"{reader.log}.1")
    os.truncate(reader.log, 0)
    reader.turn()
    reader.stop()
    add(reader.log, lines(500, 600))
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 50), lines(500, 600)]


def test_a_file_rewritten_behind_the_same_beginning_is_another_source(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 200))
    reader.turn()
    reader.stop()
    os.truncate(reader.log, len(lines(0, 100)))
    add(reader.log, lines(300, 400))
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 200), lines(0, 100) + lines(300, 400)]


def test_a_file_rewritten_before_the_same_end_is_another_source(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 2))
    reader.turn()
    add(reader.log, lines(2, 80))
    reader.turn()
    reader.stop()
    os.truncate(reader.log, len(lines(0, 2)))
    add(reader.log, lines(502, 530) + lines(30, 80))
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 80), reader.log.read_bytes()]


def test_a_truncated_file_known_from_an_older_version_is_another_source(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 50))
    reader.turn()
    reader.stop()
    saved = json.loads((reader.state / "positions.json").read_text())
    for file in saved["files"]:
        del file["prefix"], file["tail"], file["glob"]
    (reader.state / "positions.json").write_text(json.dumps(saved | {"version": 0}))
    os.truncate(reader.log, 0)
    add(reader.log, lines(70, 80))
    reader.start()
    reader.turn()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 50), lines(70, 80)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_small_file_that_grows_past_the_prefix_stays_one_source(tmp_path: Path, restart: bool) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"twenty bytes of text\n")
    for number in range(1, 6):
        reader.turn()
        if restart:
            reader.stop()
            reader.start()
        add(reader.log, lines(number * 100, number * 100 + 50))
    reader.turn()
    assert reader.contents == [reader.log.read_bytes()]
    assert [window.from_ for window, _ in reader.windows] == [0, 21, 621, 1221, 1821, 2421]


def test_two_files_that_begin_alike_are_two_sources(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    banner = b"the same banner\n" * 200
    add(reader.logs / "a.log", banner)
    add(reader.logs / "b.log", banner)
    reader.turn()
    reader.stop()
    reader.start()
    add(reader.logs / "a.log", b"a\n")
    add(reader.logs / "b.log", b"b\n")
    reader.turn()
    assert sorted(reader.contents) == [banner + b"a\n", banner + b"b\n"]


def test_a_deleted_file_whose_inode_is_used_again_is_another_source(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    reader.log.unlink()
    add(reader.log, lines(100, 120))  # most file systems give it the inode that has just become free
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 10), lines(100, 120)]


def test_a_file_that_was_rewritten_and_renamed_out_of_sight_is_not_followed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    os.truncate(reader.log, 0)
    add(reader.log, b"no log at all\n" * 100)
    reader.log.rename(reader.logs / "notes.txt")
    reader.start()
    reader.turn()
    assert reader.open_files == []
    assert reader.contents == [lines(0, 10)]


def test_a_deleted_file_that_was_read_to_its_end_is_not_missed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.log.unlink()
    reader.turn()
    reader.stop()
    said = FILE_GONE.count()
    reader.start()
    reader.turn()
    assert FILE_GONE.count() == said


def test_a_file_that_was_gone_when_it_was_looked_for_is_said_once(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.log.unlink()
    add(reader.log, b"a new one, so that the state is not as it was\n" * 50)
    reader.stop(save=False)
    said = FILE_GONE.count()
    for _ in range(2):
        reader.start()
        reader.turn()
        reader.stop()
    assert FILE_GONE.count() == said + 1


def test_broken_positions_have_all_read_again(tmp_path: Path) -> None:
    reader = Reader(tmp_path, read_from=len(lines(0, 10)))
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    (reader.state / "positions.json").write_text('{"offs":')
    add(reader.log, lines(10, 20))
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 10), lines(0, 20)]


def test_nothing_is_read_before_its_identity_is_saved(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.now += 1
    reader.files.apply(discover(reader.inputs), reader.now)
    assert reader.lap() == 0
    assert reader.windows == []
    (unsaved,) = reader.files.unsaved
    assert unsaved.source


def test_after_a_kill_the_windows_come_again_with_the_same_source_and_place(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    first = reader.turn()
    add(reader.log, lines(10, 20))
    reader.lap()
    reader.stop(save=False)
    reader.start()
    again = reader.turn()
    assert {window.source for window in again} == {window.source for window in first}
    assert [(window.start, window.from_, window.to) for window in again] == [(0, 0, len(lines(0, 20)))]
