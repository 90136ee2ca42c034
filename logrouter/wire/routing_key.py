"""Routing keys: `service.host.severity`, and what an AMQP topic pattern matches.

In come names as hosts and programs have them, out go words that are safe in a key; in come patterns and keys, out goes
whether they match, exactly as a RabbitMQ topic exchange decides (AMQP 0-9-1, section 3.1.3.3).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

SEVERITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
"""RFC 5424 severities by their number, 0 the worst; `error` and `emerg` are spelt as in our keys."""

RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}

MAX_KEY = 255
"""Bytes in an AMQP short string."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_\-:@+=~]")
_HASH_LENGTH = 16


class KeyParts(NamedTuple):
    """What a routing key says; `severity` is None where the key names none."""

    service: str
    host: str
    severity: str | None


@functools.lru_cache(maxsize=65536)
def word(name: str) -> str:
    """One word of a routing key: each character that is not plainly safe becomes `_`; an empty name becomes `-`."""
    return _UNSAFE.sub("_", name) or "-"


@functools.lru_cache(maxsize=65536)
def routing_key(service: str, host: str, severity: str) -> str:
    """The key of a record: at most 255 bytes; a longer one keeps its beginning and ends in a hash of the whole."""
    first, second = word(service), word(host)
    key = f"{first}.{second}.{severity}"
    if len(key) <= MAX_KEY:
        return key
    digest = hashlib.blake2b(f"{service}\0{host}".encode(errors="surrogatepass"), digest_size=_HASH_LENGTH // 2)
    room = MAX_KEY - len(severity) - _HASH_LENGTH - 3
    first = first[: room // 2]
    second = f"{second[: room - len(first)]}~{digest.hexdigest()}"
    return f"{first}.{second}.{severity}"


def read_key(key: str) -> KeyParts:
    """What a foreign key says: three words that end in a severity read as ours, any other gives its first word."""
    words = key.split(".")
    if len(words) == 3 and words[2] in RANK:
        return KeyParts(words[0] or "-", words[1] or "-", words[2])
    return KeyParts(words[0] or "-", "-", None)


def split_words(text: str) -> list[str]:
    """The words of a key or pattern; RabbitMQ reads an empty one as no words at all."""
    return text.split(".") if text else []


@functools.lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a key matches `pattern`: `*` is one word, `#` is none or more.

    The key's words are stepped through with the set of places in the pattern reached so far, so the time is bounded
    by words x places however many `#` there are.
    """
    words = tuple(split_words(pattern))
    if words == ("#",):
        return lambda key: True
    if "*" not in words and "#" not in words:
        return pattern.__eq__
    if "#" not in words:
        return functools.partial(_is_like, words, max((word for word in words if word != "*"), key=len, default=""))
    return functools.partial(_walk, words, begin(words))


def _is_like(pattern: tuple[str, ...], longest: str, key: str) -> bool:
    """What `_walk` says where there is no `#`: word for word. longest: of the words that have to be there."""
    if longest not in key:
        return False  # as it is with most keys
    words = split_words(key)
    return len(words) == len(pattern) and all(map(_fits, pattern, words))


def _fits(place: str, word: str) -> bool:
    return place in ("*", word)


Places = frozenset[int]
"""Places in a pattern's words that a key may have reached: the states of the pattern as an automaton."""


def begin(pattern: tuple[str, ...]) -> Places:
    """The places before any word of a key."""
    return _past_hashes(pattern, {0})


def step(pattern: tuple[str, ...], reached: Places, word: str) -> Places:
    """The places after one more word."""
    following = set()
    for place in reached:
        if place == len(pattern):
            continue
        if pattern[place] == "#":
            following.add(place)
        elif pattern[place] in ("*", word):
            following.add(place + 1)
    return _past_hashes(pattern, following)


def ends(pattern: tuple[str, ...], reached: Places) -> bool:
    """Whether a key that ends here matches."""
    return len(pattern) in reached


def _walk(pattern: tuple[str, ...], reached: Places, key: str) -> bool:
    for current in split_words(key):
        reached = step(pattern, reached, current)
    return ends(pattern, reached)


def _past_hashes(pattern: tuple[str, ...], reached: set[int]) -> Places:
    """The places reached, and those beyond each `#` there, which may stand for no word at all."""
    for place in list(reached):
        following = place
        while following < len(pattern) and pattern[following] == "#":
            following += 1
            reached.add(following)
    return frozenset(reached)


def matches(pattern: str, key: str) -> bool:
    """Whether `key` matches the AMQP topic `pattern`."""
    return matcher(pattern)(key)


def ingress(instance: str) -> str:
    """The name of the queue that everything for an instance comes through."""
    return f"logrouter.{instance}"


def dead(instance: str) -> str:
    """The name of the queue of what an instance could not decide at all."""
    return f"{ingress(instance)}.dead"


def marker(instance: str) -> str:
    """The name of the exchange that a router declares last: while it is absent, shippers hold."""
    return f"logrouter.{instance}.ready"
