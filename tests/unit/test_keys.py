"""Routing keys are safe and bounded; patterns match as RabbitMQ's topic exchange does."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.routing_key import MAX_KEY, SEVERITIES, KeyParts, matches, read_key, routing_key, word


@given(st.text(), st.text(), st.sampled_from(SEVERITIES))
def test_any_names_make_a_key_of_three_safe_words(service: str, host: str, severity: str) -> None:
    key = routing_key(service, host, severity)
    assert len(key.encode()) <= MAX_KEY
    assert len(key.split(".")) == 3
    assert not set(key) & set("*# \n\0")
    assert read_key(key).severity == severity


def test_long_names_stay_apart_in_their_keys() -> None:
    first, second = (routing_key("s" * 300, "h" * 300 + end, "info") for end in "ab")
    assert first != second


@pytest.mark.parametrize(
    ("name", "expected"), [("mail", "mail"), ("a.b", "a_b"), ("a b*#", "a_b__"), ("", "-"), ("ä/b", "__b")]
)
def test_unsafe_characters_become_underscores(name: str, expected: str) -> None:
    assert word(name) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("mail.mx1.error", KeyParts("mail", "mx1", "error")),
        ("mail.mx1.loud", KeyParts("mail", "-", None)),
        ("orders.created", KeyParts("orders", "-", None)),
        ("a.b.c.error", KeyParts("a", "-", None)),
        ("", KeyParts("-", "-", None)),
    ],
)
def test_a_foreign_key_is_read_as_ours_only_if_it_looks_so(key: str, expected: KeyParts) -> None:
    assert read_key(key) == expected


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("mail.#", "mail", True),
        ("mail.*", "mail", False),
        ("*.*.error", "mail.mx1.error", True),
        ("#.error", "error", True),
        ("#.*.#", "", False),
        ("a.#.b", "a.b", True),
        ("a.#.b", "a.x.y.b", True),
        ("a.#.b", "a.x.y.c", False),
    ],
)
def test_patterns(pattern: str, key: str, expected: bool) -> None:
    assert matches(pattern, key) is expected


def by_definition(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(by_definition(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and by_definition(pattern[1:], words[1:])


@given(st.lists(st.sampled_from("ab*#"), min_size=1, max_size=5), st.lists(st.sampled_from("abc"), max_size=5))
def test_agrees_with_the_definition(pattern: list[str], words: list[str]) -> None:
    assert matches(".".join(pattern), ".".join(words)) == by_definition(pattern, words)


def test_many_hashes_take_no_longer_than_words_times_places() -> None:
    key = ".".join(itertools.repeat("a", 400))
    assert not matches(".".join(["#", "a"] * 100 + ["b"]), key)
