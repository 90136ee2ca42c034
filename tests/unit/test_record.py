"""Records go to NDJSON and back, and their original bytes can be had again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import WireError
from logrouter.wire.record import Record, decode_lines, decode_positions, encode_lines, original


def record(**changes: object) -> Record:
    shape = {"ts": "2026-11-22T10:00:00Z", "service": "web", "host": "h", "severity": "info", "message": "hello",
             "source": "s", "pos": 0, "end": 6}  # fmt: skip
    return Record(**(shape | changes))  # type: ignore[arg-type]  # a shape made for the test


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_round_trip(messages: list[str]) -> None:
    records = [record(message=message, pos=place, end=place + 1) for place, message in enumerate(messages)]
    body = encode_lines(records)
    assert decode_lines(body) == records
    assert [(place.pos, place.end) for place in decode_positions(body)] == [(item.pos, item.end) for item in records]
    assert body.count(b"\n") == len(records)


@pytest.mark.parametrize(("end", "expected"), [(6, b"hello\n"), (7, b"hello\r\n"), (5, b"hello"), (999, b"hello\n")])
def test_the_span_tells_the_terminator(end: int, expected: bytes) -> None:
    assert original(record(end=end)) == expected


def test_raw_is_the_exact_bytes() -> None:
    assert original(record(message="�", raw="/w==")) == b"\xff"


def test_unknown_fields_are_ignored() -> None:
    body = encode_lines([record()]).replace(b'{"ts"', b'{"colour":"red","ts"')
    assert decode_lines(body) == [record()]


@pytest.mark.parametrize("body", [b"{", b'{"ts": 1}\n', b"\xff\xff\n", b"[]\n"])
def test_a_body_that_is_not_records_says_so(body: bytes) -> None:
    with pytest.raises(WireError, match="NDJSON"):
        decode_lines(body)
