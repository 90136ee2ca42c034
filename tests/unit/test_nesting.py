"""Nesting told from bytes against a decoder that counts, and what would ruin one that recurses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.nesting import is_deeper_than

values = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\[]{}:,\n\u00e9', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a"\\[{}]', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(st.lists(values, min_size=1, max_size=4), st.integers(0, 6), st.booleans(), st.sampled_from([None, 1]))
def test_it_is_as_deep_as_it_is(many: list[Any], most: int, is_ascii: bool, indent: int | None) -> None:
    body = "\n".join(json.dumps(each, ensure_ascii=is_ascii, indent=indent) for each in many).encode()
    assert is_deeper_than(body, most) == (max(map(depth, many)) > most)
    assert is_deeper_than(body + b"\n", most) == (max(map(depth, many)) > most)


@given(values, st.data())
def test_what_a_decoder_sees_of_a_broken_value_is_never_deeper_than_said(value: Any, data: st.DataObject) -> None:
    body = json.dumps(value).encode()
    cut = body[: data.draw(st.integers(0, len(body)))]
    for most in range(depth(value) + 1):
        if not is_deeper_than(cut, most):
            assert reached(cut) <= most


def reached(cut: bytes) -> int:
    """How deep the beginning of a value goes."""
    level = deepest = 0
    in_string = escaped = False
    for byte in cut.decode():
        if in_string:
            in_string, escaped = byte != '"' or escaped, byte == "\\" and not escaped
        elif byte == '"':
            in_string = True
        level += 0 if in_string else (byte in "[{") - (byte in "]}")
        deepest = max(deepest, level)
    return deepest


@pytest.mark.parametrize(
    ("body", "is_deep"),
    [
        pytest.param(b"[" * 1_000_000, True, id="never closed"),
        pytest.param(b'{"a":' * 1_000_000, True, id="objects never closed"),
        pytest.param(b"[[]," * 1_000_000, True, id="closed in between"),
        pytest.param(b"[" * 1_000_000 + b"]" * 1_000_000, True, id="closed at the end"),
        pytest.param(b"[" * 8 + b"[]," * 1_000_000 + b"1" + b"]" * 8, True, id="one level too many, wide"),
        pytest.param(b"[" * 7 + b"[]," * 1_000_000 + b"1" + b"]" * 7, False, id="wide and just not too deep"),
        pytest.param(b'{"a":"' + b"[" * 1_000_000 + b'"}', False, id="in a string"),
        pytest.param(b'{"a":"\\\\\\"' + b"[" * 1_000_000 + b'"}', False, id="in a string behind an escaped quote"),
        pytest.param(b'{"[":"]]]"},' * 100_000 + b"[" * 9, True, id="behind many brackets in strings"),
        pytest.param(b'{"[":"[",' * 7 + b'"[[":1,' * 100_000, False, id="many brackets in strings"),
        pytest.param(b'{"a":"\\\\"' + b",1:[" * 1_000_000, True, id="behind a string that ends in a backslash"),
        pytest.param(b'{"a":1}\n' * 1_000_000, False, id="lines"),
        pytest.param(b'[\n{"a":' * 9, True, id="over lines"),
        pytest.param(b'{"a":[\n' * 9 + b"\n", True, id="over lines that begin objects"),
        pytest.param(b"]" * 1_000_000, False, id="closed and never opened"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_what_somebody_makes_up(body: bytes, is_deep: bool) -> None:
    assert is_deeper_than(body, 8) == is_deep
