"""Statements as they come in: bounded in size, number and value, whatever somebody makes up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import WireError
from logrouter.wire.message import Message
from logrouter.wire.statement import MOST_SOURCES, TYPE, SourceStatement, Statement, from_message, to_message

NOW = 1_795_341_600.0


def said(**changes: Any) -> dict[str, Any]:
    statement = {
        "kind": "shipper", "reporter": "rep", "host": "h1", "version": "1", "config": "c", "started": NOW, "at": NOW,
        "sources": [source()], "counted": {"file.gone": 1},
    }  # fmt: skip
    return statement | changes


def source(**changes: Any) -> dict[str, Any]:
    return {"source": "a", "input": "web", "path": "/w", "start": 0, "read": 9, "confirmed": 9, "lines": 9} | changes


def read(body: bytes | dict[str, Any], now: float = NOW) -> Statement:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return from_message(Message(key="shipper.h1", body=content, type=TYPE), now)


def test_there_and_back() -> None:
    statement = read(said())
    assert from_message(to_message(statement, "shipper.h1"), NOW) == statement
    assert statement.sources == [
        SourceStatement(source="a", input="web", path="/w", start=0, read=9, confirmed=9, lines=9)
    ]
    assert not statement.sources[0].by_line


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"kind":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, id="deep and closed"),
        pytest.param(b" " * (9 << 20), id="large"),
        pytest.param(said(reporter="\ud800"), id="half a character"),
        pytest.param(said(reporter=""), id="nobody"),
        pytest.param(said(reporter="r" * 257), id="a long name"),
        pytest.param(said(host="h" * 257), id="a long host"),
        pytest.param(said(sources=[source(source="")]), id="no source"),
        pytest.param(said(sources=[source(source="s" * 257)]), id="a long source"),
        pytest.param(said(sources=[source()] * (MOST_SOURCES + 1)), id="many sources"),
        pytest.param(said(counted={str(n): 1 for n in range(501)}), id="many counts"),
        pytest.param(said(counted={"shed": -1}), id="a negative count"),
        pytest.param(said(counted={"shed": 1e300}), id="an absurd count"),
        pytest.param(said(counted={"s" * 257: 1}), id="a count of a long name"),
        pytest.param(said(sources=[source(confirmed=1 << 63, read=1 << 63)]), id="a position out of reach"),
        pytest.param(said(sources=[source(start=-1)]), id="a negative position"),
        pytest.param(said(sources=[source(start=10)]), id="confirmed before it began"),
        pytest.param(said(sources=[source(read=8)]), id="confirmed before it was read"),
        pytest.param(said(sources=[source(lines=10)]), id="more lines than bytes"),
    ],
)
def test_what_cannot_be_is_refused(body: bytes | dict[str, Any]) -> None:
    with pytest.raises(WireError):
        read(body)


@pytest.mark.parametrize("at", [-1, 1e300, 8e9, NOW + 86_401, 253_402_300_799])
def test_a_time_that_cannot_be_is_now(at: float) -> None:
    statement = read(said(at=at))
    assert statement.at == NOW
    assert read(said(at=NOW + 3600)).at == NOW + 3600


@pytest.mark.parametrize("started", [-1, 1e300, 8e9])
def test_a_beginning_that_cannot_be_is_always_the_same(started: float) -> None:
    assert read(said(started=started)).started == 0.0
    assert read(said(started=NOW + 10**6)).started == NOW + 10**6  # it only tells processes apart


def test_a_long_path_is_cut() -> None:
    (its,) = read(said(sources=[source(path="/" * 10_000, input="i" * 10_000)])).sources
    assert (len(its.path), len(its.input)) == (4096, 4096)


def test_fields_of_a_later_version_are_ignored() -> None:
    assert read(said(volumes={"web": {"h1": [1, {"bytes": 2}]}})).reporter == "rep"


names = st.text(alphabet="ab\0\u00e9", max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(sorted(said())), values), st.dictionaries(st.sampled_from(sorted(source())), values)
)
def test_it_is_read_or_refused(changes: dict[str, Any], of_source: dict[str, Any]) -> None:
    try:
        statement = read(said(sources=[source(**of_source)]) | changes)
    except WireError:
        return
    assert 0 <= statement.at <= NOW + 86_400
    for its in statement.sources:
        assert 0 <= its.start <= its.confirmed <= its.read < 1 << 63
