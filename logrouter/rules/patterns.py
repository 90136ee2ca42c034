"""Decide whether topic patterns cover a pattern, for all possible keys. Pure.

Both sides are matched together against the words of the narrow pattern, and against one word that no pattern contains,
which represents all other words. If there is a key that the narrow pattern matches and the wide ones do not, this finds
one. For a word that a wildcard of the narrow pattern matches, the representative is enough: a wide pattern that matches
it there matches any word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from logrouter.wire.routing_key import Places, begin, ends, split_words, step

T = TypeVar("T")

_OTHER = "\0"
"""A word that no pattern contains."""

_WILDCARDS = ("*", "#")

_Pattern = tuple[str, ...]


class FirstWords(Generic[T]):
    """Items by the first words of their patterns: of a thousand rules, only a few can match a key."""

    def __init__(self) -> None:
        self._count = 0
        self._wildcard: list[tuple[int, T]] = []
        self._by_word: dict[str, list[tuple[int, T]]] = {}

    def add(self, patterns: Iterable[str], thing: T) -> None:
        """Add an item with these patterns."""
        numbered = (self._count, thing)
        self._count += 1
        words = {first_word(pattern) for pattern in patterns}
        for items in [self._wildcard] if words & {*_WILDCARDS} else [self._by_word.setdefault(w, []) for w in words]:
            items.append(numbered)

    def under(self, *words: str) -> list[T]:
        """Return the items with a pattern that begins with one of these words or a wildcard, in the order of `add`."""
        if self._by_word.keys().isdisjoint(words):
            return [thing for _, thing in self._wildcard]
        found = dict(self._wildcard)
        for word in words:
            found.update(self._by_word.get(word, ()))
        return [found[number] for number in sorted(found)]


def first_word(text: str) -> str:
    """Return the first word of a key or pattern; '' if it has none."""
    return text.partition(".")[0]


def named_words(pattern: str) -> set[str]:
    """Return the words of a pattern that are not wildcards."""
    return {word for word in split_words(pattern) if word not in _WILDCARDS}


def covers(wide: Sequence[str], narrow: str) -> bool:
    """Report whether every key that `narrow` matches is matched by one of `wide`.

    Patterns of `wide` make no difference if their first word is neither a wildcard, nor empty, nor a word of `narrow`.
    """
    words = tuple(split_words(narrow))
    others = [tuple(split_words(pattern)) for pattern in wide]
    first = begin(words), frozenset((other, begin(other)) for other in others)
    seen, pending = {first}, [first]
    while pending:
        places, reached = pending.pop()
        if ends(words, places) and not any(ends(*each) for each in reached):
            return False
        for word in _next_words(words, places):
            following = step(words, places, word), _stepped(reached, word)
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return True


def _next_words(pattern: _Pattern, places: Places) -> set[str]:
    """Return the words that the pattern can match next; _OTHER represents all that a wildcard matches."""
    following = (pattern[place] for place in places if place < len(pattern))
    return {_OTHER if word in _WILDCARDS else word for word in following}


def _stepped(reached: Iterable[tuple[_Pattern, Places]], word: str) -> frozenset[tuple[_Pattern, Places]]:
    """Return the patterns that can still match after a word, with their places."""
    after = ((pattern, step(pattern, places, word)) for pattern, places in reached)
    return frozenset((pattern, places) for pattern, places in after if places)
