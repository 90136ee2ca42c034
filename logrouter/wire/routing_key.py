"""Routing keys (`service.host.severity`) and AMQP topic patterns.

Names become words that are safe in a key. Patterns match keys exactly as in a RabbitMQ topic exchange (AMQP 0-9-1,
section 3.1.3.3).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

SEVERITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
"""The severities of RFC 5424 in the order of their numbers, from 0, the worst. The names are those in routing keys."""

RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}

MAX_KEY = 255
"""The maximum number of bytes in a key, which is an AMQP short string."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_\-:@+=~]")
_HASH_LENGTH = 16


class KeyParts(NamedTuple):
    """The parts of a routing key. `severity` is None if the key does not contain one."""

    service: str
    host: str
    severity: str | None


@functools.lru_cache(maxsize=65536)
def word(name: str) -> str:
    """Return a name as one word of a routing key. Unsafe characters become `_`, and an empty name becomes `-`."""
    return _UNSAFE.sub("_", name) or "-"


@functools.lru_cache(maxsize=65536)
def routing_key(service: str, host: str, severity: str) -> str:
    """Return the key of a record, of at most 255 bytes.

    A longer key keeps the beginning of service and host, and a hash of both whole names before the severity.
    """
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
    """Return the parts of a foreign key. Three words that end in a severity count as a key of logrouter.

    Any other key gives its first word as the service, and `-` as the host.
    """
    words = key.split(".")
    if len(words) == 3 and words[2] in RANK:
        return KeyParts(words[0] or "-", words[1] or "-", words[2])
    return KeyParts(words[0] or "-", "-", None)


def split_words(text: str) -> list[str]:
    """Return the words of a key or pattern. An empty one has no words, as in RabbitMQ."""
    return text.split(".") if text else []


@functools.lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that reports whether a key matches `pattern`. `*` is one word, `#` is zero or more.

    The function steps through the key's words with the set of places in the pattern that are reached so far. Its time
    is therefore bounded by words x places, however many `#` the pattern has.
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
    """Report whether a key matches a pattern without `#`. `longest` is the longest literal word of the pattern."""
    if longest not in key:
        return False  # most keys end here
    words = split_words(key)
    return len(words) == len(pattern) and all(map(_fits, pattern, words))


def _fits(place: str, word: str) -> bool:
    return place in ("*", word)


Places = frozenset[int]
"""Indexes in a pattern's words that a key may have reached: states of the pattern as an automaton."""


def begin(pattern: tuple[str, ...]) -> Places:
    """Return the places before the first word of a key."""
    return _past_hashes(pattern, {0})


def step(pattern: tuple[str, ...], reached: Places, word: str) -> Places:
    """Return the places after one more word of the key."""
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
    """Report whether a key that ends here matches."""
    return len(pattern) in reached


def _walk(pattern: tuple[str, ...], reached: Places, key: str) -> bool:
    for current in split_words(key):
        reached = step(pattern, reached, current)
    return ends(pattern, reached)


def _past_hashes(pattern: tuple[str, ...], reached: set[int]) -> Places:
    """Return `reached`, with the places after each `#` there, because `#` may match no word. Changes `reached`."""
    for place in list(reached):
        following = place
        while following < len(pattern) and pattern[following] == "#":
            following += 1
            reached.add(following)
    return frozenset(reached)


def matches(pattern: str, key: str) -> bool:
    """Report whether `key` matches the AMQP topic `pattern`."""
    return matcher(pattern)(key)


def ingress(instance: str) -> str:
    """Return the name of the queue through which an instance receives all records."""
    return f"logrouter.{instance}"


def dead(instance: str) -> str:
    """Return the name of the queue for messages that an instance cannot process, its dead letters."""
    return f"{ingress(instance)}.dead"


def marker(instance: str) -> str:
    """Return the name of the exchange whose existence shows that a router has been on the broker.

    Shippers look for it only if they cannot use a probe (see `probe`).
    """
    return f"logrouter.{instance}.ready"
