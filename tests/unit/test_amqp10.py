"""Bodies of AMQP 1.0 clients, as RabbitMQ 3.10.8, 4.0.5 and 4.3.6 handed them on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.router.amqp10 import TYPE, content
from logrouter.router.foreign import from_foreign
from logrouter.wire.message import Message


def message(body: bytes, type_: str = TYPE, encoding: str = "") -> Message:
    return Message(key="app.h1.info", body=body, type=type_, content_encoding=encoding)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x00Sw\xa1\x12a line as a string", b"a line as a string"),
        (b"\x00Sw\xa0\x10a line as binary", b"a line as binary"),
        (b"\x00Sw\xb1\x00\x00\x01,".ljust(308, b"x"), b"x" * 300),
        (b"\x00Sw\xb0\x00\x00\x01,".ljust(308, b"y"), b"y" * 300),
        (b"\x00Sw\xa1\rwith props \xc3\xbc", "with props ü".encode()),
        (b"\x00Sw\xa1\x00", b""),
        (b"\x00\x80\x00\x00\x00\x00\x00\x00\x00w\xa1\x04long", b"long"),
        (b"\x00Sw\xa1\x03val\x00Sx\xc1\x01\x00", b"val"),
        (b"\x00Su\xa0\x03one", b"one"),
    ],
)
def test_texts_and_bytes_are_unwrapped(body: bytes, expected: bytes) -> None:
    assert content(message(body)) == expected
    assert content(message(body, type_="binary")) == body


@pytest.mark.parametrize(
    "body",
    [
        b"\x00SwU*",
        b"\x00SwA",
        b"\x00Sw\xa3\x03sym",
        b"\x00Sw\xd1\x00\x00\x00\x12\x00\x00\x00\x04\xa1\x01aU\x01\xa1\x01m\xa1\x04text",
        b"\x00Sw\xd0\x00\x00\x00\x0e\x00\x00\x00\x02\xa1\x03one\xa1\x03two",
        b"\x00SvE\x00Sv\xc0\x06\x01\xa1\x03abc",
        b"\x00Su\xa0\x03two\x00Su\xa0\x03one",
        b"a line of somebody who gives that type to text",
        b"",
    ],
)
def test_anything_else_stays_as_it_came(body: bytes) -> None:
    assert content(message(body)) == body


@given(st.binary(max_size=40) | st.binary(max_size=20).map(b"\x00Sw".__add__))
def test_no_body_fails(body: bytes) -> None:
    assert content(message(body)) in body


@given(st.binary(max_size=300), st.sampled_from([(b"\xa0", 1), (b"\xb0", 4), (b"\xb1", 4)]))
def test_what_was_sent_comes_back(text: bytes, constructor: tuple[bytes, int]) -> None:
    code, size = constructor
    if len(text) < 1 << 8 * size:
        assert content(message(b"\x00Sw" + code + len(text).to_bytes(size, "big") + text)) == text


def test_a_record_holds_the_line_alone() -> None:
    (record,) = from_foreign(message(b"\x00Sw\xa1\x12a line as a string"), lambda _: ("info", "default"), 0.0).records()
    assert (record.message, record.raw) == ("a line as a string", None)
