"""What is read of a file, from where, and when it is its turn."""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from shipping import Reader, add, arrived, lines, records, routing, shipping

from logrouter.broker import connect
from logrouter.observability.events import FILE_READABLE, FILE_UNREADABLE, INPUTS_OVERLAP, LINE_CUT
from logrouter.wire.record import decode_lines, original
from shippers.encode.windows import MAX_PARTS, parts
from shippers.files.follow import GRACE
from shippers.input import Input

GB = 1 << 30


def test_half_a_line_waits_for_its_other_half_over_a_restart(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"half")
    assert reader.turn() == []
    assert reader.turn(10 * GRACE) == []
    reader.stop()
    reader.start()
    assert reader.turn() == []
    add(reader.log, b" line\n")
    reader.turn()
    assert reader.contents == [b"half line\n"]
    assert len(reader.windows) == 1


def test_case_9_names_of_one_file_make_one_source_and_two_inputs_of_it_are_said_once(tmp_path: Path) -> None:
    overlaps = INPUTS_OVERLAP.count()
    logs = tmp_path / "logs"
    inputs = (Input("one", (f"{logs}/*.log", f"{logs}/app.log"), "h"), Input("two", (f"{logs}/*",), "h"))
    reader = Reader(tmp_path, *inputs)
    add(reader.log, lines(0, 10))
    (logs / "link.log").symlink_to(reader.log)
    os.link(reader.log, logs / "hard.log")
    reader.turn()
    reader.turn()
    assert reader.contents == [lines(0, 10)]
    assert {settings.service for _, settings in reader.windows} == {"one"}
    assert INPUTS_OVERLAP.count() == overlaps + 1


def test_a_file_that_cannot_be_opened_is_said_once_and_picked_up_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    unreadable, readable = FILE_UNREADABLE.count(), FILE_READABLE.count()
    real_open = os.open

    def refused(path: str, flags: int, mode: int = 0o777) -> int:
        if path == str(reader.log):
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, mode)

    with monkeypatch.context() as patch:  # root, who runs some tests, may open anything
        patch.setattr(os, "open", refused)
        reader.turn()
        reader.turn()
    assert (FILE_UNREADABLE.count(), FILE_READABLE.count()) == (unreadable + 1, readable)
    reader.turn()
    reader.turn()
    assert (FILE_UNREADABLE.count(), FILE_READABLE.count()) == (unreadable + 1, readable + 1)
    assert reader.contents == [lines(0, 10)]


def test_a_line_beyond_the_limit_leaves_its_neighbours_intact(tmp_path: Path) -> None:
    reader = Reader(tmp_path, max_line=1 << 19)
    fits, long, longer = b"f" * (1 << 19) + b"\n", b"l" * ((1 << 19) + 1) + b"\n", b"m" * (5 << 20) + b"\n"
    add(reader.log, b"before\n" + fits + long + b"between\n" + longer + b"after\n")
    said = LINE_CUT.count()
    reader.turn()
    found = [
        record
        for window, settings in reader.windows
        for part in parts(window, settings, 0.0)
        for record in decode_lines(part.body)
    ]
    sizes = [len(record.message) for record in found]
    assert sizes == [6, 1 << 19, 1 << 19, 7, 1 << 19, 5]
    assert [(record.fields or {}).get("cut", {}).get("length") for record in found] == [
        None, None, len(long), None, len(longer), None
    ]  # fmt: skip
    assert [record.end for record in found] == [record.pos for record in found[1:]] + [reader.log.stat().st_size]
    assert LINE_CUT.count() == said + 2


def test_positions_beyond_2_gb_are_right(tmp_path: Path) -> None:
    reader = Reader(tmp_path, read_from=15)
    with reader.log.open("wb") as file:
        file.seek(3 * GB)
        file.write(b"\nfirst\nsecond\nthird\n")
    (window,) = reader.turn()
    assert (window.start, window.from_, window.to) == (3 * GB + 7, 3 * GB + 7, 3 * GB + 20)
    add(reader.log, b"fourth\n")
    reader.stop()
    reader.start()
    (window,) = reader.turn()
    assert (window.start, window.from_, window.to) == (3 * GB + 7, 3 * GB + 20, 3 * GB + 27)
    assert reader.contents == [b"second\nthird\nfourth\n"]


@pytest.mark.parametrize(
    ("read_from", "expected"),
    [
        ("start", b"one\ntwo\nthree\nfour"),
        (0, b"four"),
        (4, b"four"),
        (5, b"four"),
        (10, b"three\nfour"),
        (11, b"three\nfour"),
        (1000, b"one\ntwo\nthree\nfour"),
    ],
)
def test_the_first_sight_of_a_file_begins_at_a_line(tmp_path: Path, read_from: int, expected: bytes) -> None:
    reader = Reader(tmp_path, read_from=read_from)
    add(reader.log, b"one\ntwo\nthree\nfour")
    reader.turn()
    add(reader.log, b" and more\n")
    reader.turn()
    assert reader.contents == [expected + b" and more\n"]


@pytest.mark.parametrize("restart", [False, True])
def test_files_that_appear_later_are_read_from_their_start(tmp_path: Path, restart: bool) -> None:
    reader = Reader(tmp_path, read_from=0)
    add(reader.log, lines(0, 10))
    reader.turn()
    if restart:
        reader.stop()
    add(reader.logs / "later.log", lines(10, 20))
    if restart:
        reader.start()
    reader.turn()
    assert reader.contents == [lines(10, 20)]


def test_a_flood_does_not_keep_quiet_files_waiting(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.logs / "flood.log", lines(0, 100_000))
    for number in range(200):
        add(reader.logs / f"quiet-{number}.log", b"one\n")
    reader.now += 1
    reader.scan()
    reader.lap()
    assert max(Counter(window.source for window, _ in reader.windows).values()) == 1
    assert len(reader.windows) == 201


def test_files_take_turns(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for number in range(5):
        add(reader.logs / f"{number}.log", lines(0, 100_000))
    reader.turn(0.0)
    paths = [f"{reader.logs}/{number}.log" for number in range(5)]
    order = [window.from_ for window, _ in reader.windows]
    assert order == sorted(order)
    assert Counter(order[:5]) == {0: 5}
    visited = [generation.path for _ in range(10) if (generation := reader.files.turns.next(reader.now + 1))]
    assert sorted(visited[:5]) == paths
    assert visited[5:] == visited[:5]


def test_very_short_lines_make_windows_of_bounded_size(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"\n" * 10_000)
    assert [window.to - window.from_ for window in reader.turn()] == [4096, 4096, 1808]


def test_a_long_line_that_has_been_there_for_a_while_is_read_without_pauses(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"x" * (5 << 20) + b"\n")
    reader.scan()
    assert [window.to for window in reader.turn(10.0)] == [(5 << 20) + 1]


def test_going_back_forgets_what_was_seen_of_an_unended_line(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10) + b"x" * (2 << 20))
    reader.turn(confirm=False)
    (generation,) = reader.files
    for _ in range(2):
        generation.rewind(0.0)
        assert [window.to for window in reader.turn(confirm=False)] == [120]
    add(reader.log, b"\nnext\n")
    (cut, following) = reader.turn()
    assert cut.cut is not None
    assert (cut.from_, cut.cut.length) == (120, (2 << 20) + 1)
    assert following.data == b"next\n"


def test_a_name_that_is_no_text_is_followed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    path = Path(os.fsdecode(bytes(reader.logs) + b"/\xff.log"))
    add(path, lines(0, 10))
    reader.turn()
    reader.stop()
    reader.start()
    add(path, lines(10, 20))
    path.rename(f"{path}.1")
    reader.turn()
    assert reader.contents == [lines(0, 20)]


async def test_a_file_of_more_programs_than_a_window_may_have_parts(tmp_path: Path) -> None:
    log = tmp_path / "syslog"
    content = b"".join(b"Nov 22 10:00:00 h program%d[1]: line %d\n" % (number % 300, number) for number in range(3000))
    log.write_bytes(content)
    broker = connect("embedded", tmp_path / "state")
    agent = shipping(broker, [Input("", (str(log),), "h")], tmp_path / "shipper")
    async with routing(broker) as taken, agent as running:
        await arrived(taken, 3000)
        assert running.progress()[0].lines_read == 3000
    assert max(len(part.keys) for part in taken) == MAX_PARTS
    in_order = sorted(records(taken), key=lambda record: record.pos)
    assert b"".join(map(original, in_order)) == content
    assert [record.service for record in in_order] == [f"program{number % 300}" for number in range(3000)]
    windows = sorted({(part.from_, part.to) for part in taken})
    assert all(before[1] == after[0] for before, after in pairwise(windows))
