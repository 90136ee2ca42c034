"""Records of several lines as they are read: held until they are whole, and the same whenever they are read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from shipping import Reader, add, lines, records

from logrouter.router.reorder import Assembly, Release
from logrouter.wire.ranges import Ranges
from logrouter.wire.record import original
from logrouter.wire.slices import from_part
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.files.follow import GRACE
from shippers.files.pieces import MAX_LINES
from shippers.files.reader import WINDOW
from shippers.parse.multiline import Joining

PYTHON = Joining(traces=("python",))
HEAD = b"2026-11-22 13:00:00 ERROR app: cannot pay\n"
TRACE = b'Traceback (most recent call last):\n  File "pay.py", line 3, in pay\n    charge()\nValueError: no card\n'
NEXT = b"2026-11-22 13:00:01 INFO app: go on\n"


def messages(reader: Reader) -> list[str]:
    given = (part for window, settings in reader.windows for part in parts(window, settings, 0.0))
    return [record.message for record in records(given)]


def text(*contents: bytes) -> str:
    return b"".join(contents).decode().removesuffix("\n")


def test_a_record_is_held_until_the_next_begins(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=PYTHON)
    add(reader.log, HEAD + TRACE[:40])
    assert reader.turn(0.5) == []
    add(reader.log, TRACE[40:])
    assert reader.turn(0.5) == []
    add(reader.log, NEXT)
    reader.turn(0.5)
    assert messages(reader) == [text(HEAD, TRACE)]
    reader.turn(2.0)
    assert messages(reader) == [text(HEAD, TRACE), text(NEXT)]
    assert reader.contents == [HEAD + TRACE + NEXT]


def test_a_last_record_waits_no_longer_than_its_flush(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=Joining(traces=("python",), flush=30.0))
    add(reader.log, HEAD)
    for _ in range(29):
        assert reader.turn(1.0) == []
    reader.turn(2.0)
    assert messages(reader) == [text(HEAD)]
    assert not len(reader.files.turns) or reader.turn(5.0) == []


def test_case_18_a_trace_over_a_rotation_and_over_a_restart_is_one_record(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=PYTHON)
    with reader.log.open("ab", buffering=0) as writer:
        writer.write(HEAD + TRACE[:40])
        reader.turn(0.5)
        reader.log.rename(reader.log.with_name("app.log.1"))
        reader.turn(0.4)
        reader.stop()
        writer.write(TRACE[40:])
    reader.start()
    reader.turn(0.5)
    reader.turn(2.0)
    assert messages(reader) == [text(HEAD, TRACE)]


def test_the_last_line_without_newline_belongs_to_the_record(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=PYTHON)
    add(reader.log, HEAD + TRACE.removesuffix(b"\n"))
    reader.turn()
    reader.log.unlink()
    reader.turn()
    reader.turn(GRACE + 1)
    reader.turn()
    assert reader.contents == [HEAD + TRACE.removesuffix(b"\n")]
    assert messages(reader)[0].startswith(text(HEAD))


@pytest.mark.parametrize("size", [WINDOW // 2, WINDOW, 3 * WINDOW + 17])
def test_windows_end_with_records_and_hold_all_bytes(tmp_path: Path, size: int) -> None:
    reader = Reader(tmp_path, joining=PYTHON)
    whole = (HEAD + TRACE + NEXT) * (size // len(HEAD + TRACE + NEXT))
    add(reader.log, whole)
    reader.turn()
    reader.turn(2.0)
    assert reader.contents == [whole]
    assert set(messages(reader)) == {text(HEAD, TRACE), text(NEXT)}


def test_a_record_that_never_ends_is_cut(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=Joining())
    whole = HEAD + b" more\n" * (2 * MAX_LINES + 100) + NEXT
    add(reader.log, whole)
    reader.turn()
    reader.turn(2.0)
    assert reader.contents == [whole]
    assert len(messages(reader)) == 4


def test_a_line_beyond_the_limit_leaves_its_neighbours_as_they_are(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=PYTHON, max_line=200)
    add(reader.log, HEAD + TRACE + b"x" * 1000 + b"\n" + HEAD + TRACE)
    reader.turn()
    reader.turn(2.0)
    assert messages(reader) == [text(HEAD, TRACE), "x" * 200, text(HEAD, TRACE)]


def test_carriage_returns_and_odd_bytes_are_kept(tmp_path: Path) -> None:
    reader = Reader(tmp_path, joining=Joining())
    whole = b"a\r\n b\r\nc\n \xff\nd\r\n"
    add(reader.log, whole)
    reader.turn()
    reader.turn(2.0)
    assert messages(reader) == ["a\n b", "c\n �", "d"]
    assert reader.contents == [whole]


def test_lines_are_counted_as_records(tmp_path: Path) -> None:
    """So that what a shipper says it has read is what the router decides."""
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 3))
    reader.turn()
    (generation,) = reader.files
    assert generation.lines == 3


def test_a_record_that_comes_again_longer_or_shorter_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """A shipper is killed after it has flushed half a trace, or all of it, and cuts elsewhere when it reads again."""
    assembly: Assembly[None] = Assembly(lambda _: Ranges(), lambda _: True)
    reader = Reader(tmp_path, joining=PYTHON)
    add(reader.log, HEAD + TRACE[:70])
    released: list[Release[None]] = []

    def route(windows: list[Window]) -> None:
        (settings,) = reader.inputs
        made = (part for window in windows for part in parts(window, settings, 0.0))
        released.extend(each for part in made for each in assembly.add(part, from_part(part), None, 0.0))

    route(reader.turn(0.5, confirm=False))
    route(reader.turn(2.0, confirm=False))
    reader.stop(save=False)
    add(reader.log, TRACE[70:] + NEXT)
    reader.start()
    route(reader.turn(0.5, confirm=False))
    route(reader.turn(2.0, confirm=False))
    kept = [record for release in released for piece in release.slices for record in piece.records()]
    assert b"".join(map(original, kept)) == HEAD + TRACE + NEXT
    assert [record.message.split("\n")[0] for record in kept] == [text(HEAD), "    charge()", text(NEXT)]
