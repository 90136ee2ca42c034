"""Files that are renamed, deleted and replaced under a reader: read to their ends, each once, then let go."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from shipping import Reader, add, lines

from logrouter.observability.events import GLOB_EMPTY
from shippers.files.discovery import discover
from shippers.files.follow import GRACE


def test_a_renamed_file_is_read_to_its_end_while_its_writer_keeps_it(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    with reader.log.open("ab", buffering=0) as writer:
        writer.write(lines(0, 10))
        reader.turn()
        reader.log.rename(reader.log.with_name("app.log.1"))
        writer.write(lines(10, 20))
        add(reader.log, lines(100, 110))
        reader.turn()
        for first in (20, 30, 40):
            reader.turn(GRACE - 5)
            writer.write(lines(first, first + 10))
            reader.turn()
    assert sorted(reader.contents) == [lines(0, 50), lines(100, 110)]
    reader.turn(GRACE + 1)
    assert reader.open_files == [str(reader.log)]


def test_the_grace_of_a_quiet_file_begins_when_it_is_renamed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    with reader.log.open("ab", buffering=0) as writer:
        writer.write(lines(0, 10))
        reader.turn()
        reader.turn(10 * GRACE)
        reader.log.rename(tmp_path / "elsewhere")
        reader.turn()
        reader.turn(GRACE - 5)
        writer.write(lines(10, 20))
        reader.turn()
    assert reader.contents == [lines(0, 20)]


def test_a_rename_is_noticed_at_the_next_look_at_a_file_that_grows(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    assert reader.files.scan_due > reader.now
    reader.log.rename(f"{reader.log}.1")
    reader.now += 0.1
    reader.lap()
    assert reader.files.scan_due == reader.now


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_renamed_between_being_found_and_being_opened_is_read(tmp_path: Path, times: int) -> None:
    reader = Reader(tmp_path)
    reader.turn()
    add(reader.log, lines(0, 10))
    found = discover(reader.inputs, (), reader.directories)
    for generation in range(1, times + 1):
        reader.log.rename(f"{reader.log}.{generation}")
        if generation < times:
            add(reader.log, lines(generation * 10, generation * 10 + 10))
    reader.files.apply(found, reader.now)
    reader.turn()
    assert sorted(reader.contents) == [lines(first, first + 10) for first in range(0, times * 10, 10)]


def test_a_file_that_is_out_of_sight_for_a_moment_is_followed_as_before(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"half")
    reader.turn()
    reader.log.rename(tmp_path / "away")
    reader.turn()
    (tmp_path / "away").rename(reader.log)
    reader.turn()
    reader.turn(10 * GRACE)
    add(reader.log, b" line\n")
    reader.turn()
    assert reader.contents == [b"half line\n"]
    assert len(reader.windows) == 1


def test_a_file_renamed_while_stopped_that_a_glob_still_matches_ends_with_its_grace(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="app.log*")
    add(reader.log, b"no end")
    reader.turn()
    reader.stop()
    reader.log.rename(f"{reader.log}.1")
    reader.start()
    reader.turn()
    assert reader.contents == []
    reader.turn(GRACE + 1)
    assert reader.contents == [b"no end"]


def test_a_renamed_file_that_a_glob_still_matches_is_not_read_twice(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="app*")
    add(reader.log, lines(0, 10) + b"no end")
    reader.turn()
    reader.log.rename(reader.log.with_name("app.log.1"))
    add(reader.log, lines(10, 20))
    reader.turn()
    reader.turn(GRACE + 1)
    assert sorted(reader.contents) == [lines(0, 10) + b"no end", lines(10, 20)]
    assert sorted(reader.open_files) == [str(reader.log), f"{reader.log}.1"]


def test_generations_that_came_and_went_between_two_looks_are_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log.with_name("app.log.2"), b"from long before\n")
    os.utime(reader.log.with_name("app.log.2"), (1e9, 1e9))
    add(reader.log, lines(0, 10))
    reader.turn()
    for generation in range(1, 6):
        for number in range(9, 0, -1):
            with suppress(FileNotFoundError):
                reader.log.with_name(f"app.log.{number}").rename(reader.log.with_name(f"app.log.{number + 1}"))
        reader.log.rename(reader.log.with_name("app.log.1"))
        add(reader.log, lines(generation * 10, generation * 10 + 10))
    reader.turn()
    assert sorted(reader.contents) == [lines(first, first + 10) for first in range(0, 60, 10)]


@pytest.mark.parametrize("seen_before", [False, True])
def test_generations_at_a_place_that_was_vacant_at_every_look_are_read(tmp_path: Path, seen_before: bool) -> None:
    reader = Reader(tmp_path, glob="app.log")
    add(reader.log.with_name("app.log.99"), b"from before the first start\n")
    os.utime(reader.log.with_name("app.log.99"), (1e9, 1e9))
    if seen_before:
        add(reader.log, lines(0, 10))
        reader.turn()
        reader.log.rename(f"{reader.log}.0")
    reader.turn()
    reader.turn(2 * GRACE)
    for generation in range(1, 4):
        add(reader.log, lines(generation * 10, generation * 10 + 10))
        reader.log.rename(f"{reader.log}.{generation}")
    reader.turn()
    expected = [lines(first, first + 10) for first in range(0, 40, 10)]
    assert sorted(reader.contents) == expected[not seen_before :]


@pytest.mark.parametrize("restart", [False, True])
def test_generations_before_the_first_file_that_is_seen_at_a_place_are_read(tmp_path: Path, restart: bool) -> None:
    reader = Reader(tmp_path)
    reader.turn()
    if restart:
        reader.stop()
    for generation in range(3):
        add(reader.log, lines(generation * 10, generation * 10 + 10))
        reader.log.rename(f"{reader.log}.{generation}")
    add(reader.log, lines(30, 40))
    if restart:
        reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(first, first + 10) for first in range(0, 40, 10)]


def test_generations_at_a_place_left_a_moment_ago_are_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.log.rename(f"{reader.log}.0")
    reader.turn()
    for generation in (1, 2):
        add(reader.log, lines(generation * 10, generation * 10 + 10))
        reader.log.rename(f"{reader.log}.{generation}")
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 10), lines(10, 20), lines(20, 30)]


def test_a_generation_that_appears_where_the_live_file_is_long_gone_is_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.log.unlink()
    reader.turn()
    reader.turn(GRACE + 1)
    add(reader.log.with_name("app.log.1"), lines(10, 20))
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 10), lines(10, 20)]


def test_a_file_renamed_while_stopped_is_finished_and_the_new_one_begun(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    reader.log.rename(reader.log.with_name("app.log.1"))
    add(reader.log.with_name("app.log.1"), lines(10, 20))
    add(reader.log, lines(100, 110))
    reader.start()
    new = reader.turn()
    assert sum(window.to - window.from_ for window in new) == len(lines(0, 20))
    assert sorted(reader.contents) == [lines(0, 20), lines(100, 110)]


def test_a_generation_that_was_rotated_away_unseen_while_stopped_is_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    reader.log.rename(reader.log.with_name("app.log.2"))
    add(reader.log, lines(10, 20))
    reader.log.rename(reader.log.with_name("app.log.1"))
    add(reader.log, lines(20, 30))
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 10), lines(10, 20), lines(20, 30)]


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_last_line_without_newline_is_read_once_when_its_file_is_gone_for_good(tmp_path: Path, how: str) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"whole\nlast")
    reader.turn()
    reader.log.unlink() if how == "deleted" else reader.log.rename(f"{reader.log}.1")
    reader.turn()
    reader.turn(GRACE - 5)
    assert reader.contents == [b"whole\n"]
    reader.turn(10)
    reader.turn(GRACE)
    assert reader.contents == [b"whole\nlast"]
    assert reader.open_files == []
    known = [saved.path for saved in reader.files.state().finished if saved.prefix.length]
    assert known == ([] if how == "deleted" else [f"{reader.log}.1"])


def test_a_file_is_held_until_all_of_it_is_confirmed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn(confirm=False)
    reader.log.unlink()
    reader.turn(2 * GRACE, confirm=False)
    reader.turn(2 * GRACE, confirm=False)
    (held,) = reader.files
    held.rewind(0.0)
    reader.turn()
    reader.turn()
    assert [(window.from_, window.to) for window, _ in reader.windows] == [(0, 120), (0, 120)]
    assert reader.open_files == []


def test_a_file_that_grew_while_nothing_was_read_is_not_let_go(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    with reader.log.open("ab", buffering=0) as writer:
        writer.write(lines(0, 10))
        reader.turn()
        reader.log.unlink()
        reader.turn()
        writer.write(lines(10, 20))
    reader.now += 2 * GRACE
    reader.scan()
    reader.now += 2 * GRACE
    reader.scan()
    reader.turn()
    assert reader.contents == [lines(0, 20)]


def test_a_file_that_comes_back_after_it_was_let_go_is_known(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    away = reader.logs / "away"
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.log.rename(away)
    reader.turn()
    reader.turn(2 * GRACE)
    assert reader.open_files == []
    away.rename(reader.log)
    add(reader.log, lines(10, 20))
    reader.turn()
    assert reader.contents == [lines(0, 20)]


def test_a_link_that_turns_to_another_file_is_followed_and_the_first_one_finished(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    old, new, link = reader.logs / "old", reader.logs / "new", reader.logs / "current.log"
    add(old, lines(0, 10))
    link.symlink_to(old)
    reader.turn()
    add(old, lines(10, 20))
    add(new, lines(100, 110))
    link.unlink()
    link.symlink_to(new)
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 20), lines(100, 110)]


def test_directories_come_and_go(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="**/*.log")
    said = GLOB_EMPTY.count()
    reader.turn()
    reader.turn()
    assert GLOB_EMPTY.count() == said + 1
    (reader.logs / "a" / "b").mkdir(parents=True)
    add(reader.logs / "a" / "b" / "app.log", lines(0, 10))
    reader.turn()
    shutil.rmtree(reader.logs / "a")
    reader.turn()
    reader.turn(2 * GRACE)
    assert reader.contents == [lines(0, 10)]
    assert reader.open_files == []
