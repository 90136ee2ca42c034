"""Records of which a part was decided: what is left of them rebuilds exactly the bytes that are missing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.router.dedup import remainders, undecided
from logrouter.wire.ranges import Ranges
from logrouter.wire.record import Record, RecordHeader, encode_lines, original
from logrouter.wire.slices import Slice

TEXT = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20)


def record_of(lines: list[bytes], pos: int = 0) -> Record:
    """A record of several physical lines, as a shipper makes it."""
    content = b"".join(lines)
    starts = [pos + sum(map(len, lines[:index])) for index in range(len(lines))]
    message = content.decode(errors="replace").removesuffix("\n")
    rebuilt = message.encode() + b"\n"
    return Record(
        ts="2026-11-22T13:00:00Z", service="web", host="w1", severity="error", message=message, source="s",
        pos=pos, end=pos + len(content), lines=starts if len(lines) > 1 else None,
        raw=None if rebuilt == content else base64.b64encode(content).decode(),
    )  # fmt: skip


def slice_of(*records: Record) -> Slice:
    places = [RecordHeader(record.pos, record.end) for record in records]
    return Slice("web.w1.error", "s", "web", "w1", "error", 0, 0, encode_lines(records), places)


@given(st.lists(TEXT.map(lambda text: text.encode() + b"\n") | st.just(b"\xff\n"), min_size=1, max_size=6), st.data())
def test_the_lines_that_are_missing_are_kept_exactly(lines: list[bytes], data: st.DataObject) -> None:
    record = record_of(lines, pos=100)
    starts = record.lines or [record.pos]
    gone = data.draw(st.sets(st.sampled_from(range(len(lines)))))
    decided = Ranges((start, start + len(lines[index])) for index, start in enumerate(starts) if index in gone)
    left, repeated = undecided(slice_of(record), decided)
    kept = b"".join(line for index, line in enumerate(lines) if index not in gone)
    assert b"".join(original(each) for each in (left.records() if left else [])) == kept
    assert repeated == (len(gone) == len(lines))
    for each in left.records() if left else []:
        assert not decided.touches(each.pos, each.end)


def test_a_last_line_that_has_grown_since_is_kept_from_where_it_was_decided() -> None:
    record = record_of([b"half a line\n"])
    left, repeated = undecided(slice_of(record), Ranges([(0, 4)]))
    assert left is not None
    assert [(each.pos, each.end, each.message) for each in left.records()] == [(4, 12, " a line")]
    assert repeated == 0


def test_others_of_the_slice_are_left_as_they_are() -> None:
    records = record_of([b"a\n", b" b\n"]), record_of([b"c\n", b" d\n"], 5), record_of([b"e\n"], 10)
    left, repeated = undecided(slice_of(*records), Ranges([(0, 7)]))
    assert left is not None
    assert [each.message for each in left.records()] == [" d", "e"]
    assert left.places == [RecordHeader(7, 10), RecordHeader(10, 12)]
    assert repeated == 1


@pytest.mark.parametrize(
    ("message", "kept"), [("[card]\n at 2\n at 3", [" at 2\n at 3"]), ("cut", ["cut"])], ids=["by lines", "whole"]
)
def test_a_redacted_record_is_cut_by_lines_or_kept_whole(message: str, kept: list[str]) -> None:
    record = Record(
        ts="2026-11-22T13:00:00Z", service="web", host="w1", severity="error", message=message, source="s",
        pos=0, end=40, lines=[0, 20, 30],
    )  # fmt: skip
    assert [each.message for each in remainders(record, [(20, 40)])] == kept
