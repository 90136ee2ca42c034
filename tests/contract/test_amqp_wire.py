"""Messages as AMQP bytes and back, without a broker: whatever comes, reading it raises nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.header import ContentHeader

from logrouter.broker.amqp.fast_properties import read_plain
from logrouter.broker.amqp.properties import EncodedProperties, marked, read_any, read_message, write_properties
from logrouter.wire.message import Message

FRAME = 131_072

_BEFORE_PROPERTIES = 7 + 12
"""Bytes of a frame's head, and of class, weight and size in a header."""

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | _text
    | st.binary(max_size=40)
    | st.decimals(-1000, 1000, places=2).map(abs)
    | st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
)
"""What comes back: the library misreads negative decimals, and takes times after 2106 for milliseconds."""


def over_the_wire(properties: EncodedProperties, body: bytes = b"") -> Message:
    return read_message("k", encoded(properties, body), body)


def encoded(properties: EncodedProperties, body: bytes = b"") -> bytes:
    sent = frame.marshal(ContentHeader(body_size=len(body), properties=properties), 1)
    return sent[_BEFORE_PROPERTIES:-1]


_values = st.recursive(
    _scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=8
)
_names = _text.map("own-{}".format)  # not those that are for the broker
_times = st.none() | st.integers(0, 2**32 - 1).map(float)


@given(st.dictionaries(_names, _values, max_size=5), _names, _times)
def test_a_message_comes_back_as_it_was(headers: dict[str, Any], text: str, timestamp: float | None) -> None:
    message = Message("k", b"", text, text, text, text, text, text, timestamp=timestamp, headers=headers)
    assert over_the_wire(write_properties(message, message.message_id, FRAME)) == message


@given(_text)
def test_a_mark_on_a_message_id_is_taken_off(message_id: str) -> None:
    properties = write_properties(Message("k", b""), marked(message_id, "0af-12"), FRAME)
    assert over_the_wire(properties).message_id == message_id


@given(st.binary(max_size=200))
def test_any_bytes_as_a_table_of_headers_can_be_read(table: bytes) -> None:
    properties = EncodedProperties()
    properties.headers = len(table).to_bytes(4, "big") + table
    properties.app_id = "after it"
    assert over_the_wire(properties).app_id == "after it"


@given(st.integers(0, 2**64 - 1))
def test_any_timestamp_can_be_read(stamp: int) -> None:
    properties = EncodedProperties()
    properties.timestamp = stamp.to_bytes(8, "big")
    properties.app_id = "after it"
    message = over_the_wire(properties)
    assert message.timestamp is None or 0 <= message.timestamp < 253_402_300_800
    assert message.app_id == "after it"


@given(st.binary(max_size=255))
def test_any_bytes_as_a_property_can_be_read(raw: bytes) -> None:
    properties = EncodedProperties()
    properties.correlation_id = bytes([len(raw)]) + raw  # type: ignore[assignment]  # bytes go out as they are
    properties.app_id = "after it"
    message = over_the_wire(properties)
    assert message.app_id == "after it"
    message.correlation_id.encode()


@given(st.text(max_size=300), st.floats())
def test_any_property_can_be_written(text: str, timestamp: float) -> None:
    message = Message("k", b"", text, text, text, text, text, text, timestamp=timestamp)
    assert over_the_wire(write_properties(message, text, FRAME)).key == "k"


def same(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    """Whether two ways of reading say the same, types and all; an empty string is as good as none."""
    return one is None or repr({name: value for name, value in one.items() if value != ""}) == repr(other)


_plain = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | _text | st.lists(_text, max_size=4)


@given(st.dictionaries(_names, _plain, max_size=5), _names, _times)
def test_what_is_plain_is_read_at_once_and_as_the_library_reads_it(
    headers: dict[str, Any], text: str, timestamp: float | None
) -> None:
    message = Message("k", b"", text, text, text, text, text, text, timestamp=timestamp, headers=headers)
    sent = encoded(write_properties(message, text, FRAME))
    found = read_plain(sent)
    assert found is not None
    assert same(found, read_any(sent))


@given(st.dictionaries(_names, _values, max_size=4), _text, _times, st.data())
def test_what_is_not_plain_is_left_to_the_library(
    headers: dict[str, Any], text: str, timestamp: float | None, data: st.DataObject
) -> None:
    """Whatever the bytes: changed anywhere, cut, or with more behind them."""
    message = Message("k", b"", text, text, timestamp=timestamp, headers=headers)
    sent = bytearray(encoded(write_properties(message, text, FRAME)))
    for _ in range(data.draw(st.integers(0, 3))):
        sent[data.draw(st.integers(2, len(sent) - 1))] = data.draw(st.integers(0, 255) | st.sampled_from(b"SAtbsuIil"))
    sent[:] = sent[: data.draw(st.integers(len(sent) - 3, len(sent)))] + data.draw(st.binary(max_size=2))
    found = read_plain(bytes(sent))
    assert found is None or same(found, read_any(bytes(sent)))


@pytest.mark.parametrize("stamp", [0, 2**32 - 1, 2**32, 2**64 - 1])
def test_a_timestamp_is_read_as_the_library_reads_it(stamp: int) -> None:
    properties = EncodedProperties()
    properties.timestamp = stamp.to_bytes(8, "big")
    assert same(read_plain(encoded(properties)), read_any(encoded(properties)))


def test_lists_of_numbers_are_not_taken_for_one_another() -> None:
    """1, True and 1.0 are the same key of a dict."""
    for values in ([1], [True], [1.0], ["1"]):
        headers = {"own": values}
        message = over_the_wire(write_properties(Message("k", b"", headers=headers), "", FRAME))
        assert repr(message.headers) == repr(headers)
