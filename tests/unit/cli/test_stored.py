"""Archive files as they are read back: all that can be read is, and what cannot is named."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from isal import isal_zlib

from logrouter.destinations.archive import reader as stored
from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.reader import Outcome, first_time, read_file, read_segments
from logrouter.observability import events
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.record_filter import RecordFilter

NAMES = ("x.jsonl.gz", "x.jsonl.zst", "x.jsonl")


def record(number: int, ts: str = "2026-11-22T12:00:00.000000Z", **fields: Any) -> Record:
    message = f"line {number} {random.Random(number).random()}"  # it does not shrink to nothing
    return Record(ts, "web", "h1", "info", message, "src", 10 * number, 10 * number + 10, **fields)


def line(number: int) -> bytes:
    return encode_lines([record(number)])


def packed(name: str, *commits: bytes) -> bytes:
    """A file of that name as it is after these commits."""
    codec = codec_for(name)
    stream, whole = codec.begin(), b"".join(commits)
    content = b"".join(stream.write(commit) + stream.sync() for commit in commits)
    return content + codec.trailer(isal_zlib.crc32(whole), len(whole))


def numbers(path: Path) -> tuple[list[int], bool]:
    """The numbers of the records that are read, and whether that was all."""
    outcome = Outcome()
    return [each.pos // 10 for _, each in read_file(path, outcome)], outcome.is_whole


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_several_members_is_read_through(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(packed(name, *map(line, range(500))) + packed(name, *map(line, range(500, 2000))))
    assert numbers(path) == (list(range(2000)), True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.998])
def test_of_a_file_that_was_cut_short_each_line_before_the_cut_is_read(tmp_path: Path, name: str, share: float) -> None:
    content = packed(name, *(b"".join(map(line, range(begin, begin + 50))) for begin in range(0, 5000, 50)))
    path, before = tmp_path / name, events.ARCHIVE_UNREADABLE.count()
    path.write_bytes(content[: int(share * len(content))])
    read, is_whole = numbers(path)
    assert read == list(range(len(read)))
    assert len(read) > 5000 * share - 100
    assert not is_whole
    assert events.ARCHIVE_UNREADABLE.count() == before + 1


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_of_a_file_with_a_flipped_bit_each_line_before_it_is_read(tmp_path: Path, share: float) -> None:
    """Such as zlib reads it, which gives all up to the byte at which it stumbles."""
    name = NAMES[0]
    content = bytearray(packed(name, *(b"".join(map(line, range(begin, begin + 50))) for begin in range(0, 5000, 50))))
    content[int(share * len(content))] ^= 0x10
    path = tmp_path / name
    path.write_bytes(content)
    read, is_whole = numbers(path)
    assert read[: int(5000 * share) - 100] == list(range(int(5000 * share) - 100))
    assert not is_whole


DEEP = line(1).rstrip(b"}\n") + b',"fields":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(line(1).replace(b'"line 1', b'null,"x":"').rstrip(b"\n"), id="a message that is null"),
        pytest.param(b'{"message":null}', id="next to nothing"),
        pytest.param(b"", id="blank"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"{", id="half of it"),
        pytest.param(line(1).rstrip(b"\n") * 2, id="two in a line"),
        pytest.param(line(1).replace(b'"pos":10', b'"pos":1e400').rstrip(b"\n"), id="a position that is none"),
        pytest.param(DEEP, id="nested too deep"),
        pytest.param(b"[]", id="a list"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 300])
def test_a_line_that_is_no_record_hides_nothing_but_itself(tmp_path: Path, bad: bytes, place: int) -> None:
    path, before = tmp_path / "x.jsonl.gz", events.ARCHIVE_ODD.count()
    lines = [*map(line, range(place)), bad + b"\n", *map(line, range(place, 301))]
    path.write_bytes(packed(path.name, b"".join(lines)))
    assert numbers(path) == (list(range(301)), False)
    assert events.ARCHIVE_ODD.count() == before + 1


def test_a_line_that_is_longer_than_any_record_hides_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_LONGEST", 1 << 18)
    path = tmp_path / "x.jsonl"
    path.write_bytes(line(0) + bytes(5 << 20) + line(7) + line(1))
    assert numbers(path) == ([0, 1], False)


def test_a_file_that_is_written_to_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    """The end that it had has other bytes in its place when the reader comes there."""
    path = tmp_path / "x+open.jsonl.gz"
    commits = [b"".join(map(line, range(begin, begin + 2000))) for begin in (0, 2000)]
    path.write_bytes(packed(path.name, *commits[:1]))
    outcome = Outcome()
    reading = read_file(path, outcome)
    read = [next(reading)]
    path.write_bytes(packed(path.name, *commits))
    read += reading
    assert [each.pos // 10 for _, each in read] in (list(range(2000)), list(range(4000)))
    assert outcome.is_whole


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_file_that_got_its_final_name_meanwhile_is_read_by_that(tmp_path: Path, is_damaged: bool) -> None:
    content = packed("x.jsonl.gz", *map(line, range(10)))
    (tmp_path / "x+2.jsonl.gz").write_bytes(content[:-3] if is_damaged else content)
    assert numbers(tmp_path / "x+2+open.jsonl.gz") == (list(range(10)), not is_damaged)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    before = events.ARCHIVE_UNREADABLE.count()
    assert numbers(tmp_path / "x.jsonl.gz") == ([], False)
    assert numbers(tmp_path) == ([], False)
    assert events.ARCHIVE_UNREADABLE.count() == before + 2


def test_segments_follow_each_other_and_no_time_goes_back(tmp_path: Path) -> None:
    times = ["2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z", "zzzz", "", "2026-11-22T13:00:00Z"]
    for segment, each in enumerate((times, times[:1])):
        content = encode_lines(record(10 * segment + number, ts) for number, ts in enumerate(each))
        (tmp_path / f"x+{segment}.jsonl").write_bytes(content)
    paths = [tmp_path / f"x+{segment}.jsonl" for segment in range(2)]
    outcome = Outcome()
    found = list(read_segments(paths, RecordFilter(), outcome))
    assert [each.decoded.pos // 10 for each in found if each.decoded] == [0, 1, 2, 3, 4, 10]
    assert [each.time[11:13] for each in found] == ["12", "12", "12", "12", "13", "13"]
    assert first_time(paths[0]) == found[0].time
    assert outcome.is_whole
