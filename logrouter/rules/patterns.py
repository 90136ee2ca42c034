"""What topic patterns can match, worked out for all keys at once: whether one pattern covers another. Pure.

In come patterns, out comes an answer for every key there could be. Both patterns are walked together over the words of
the narrow one, and one word that neither knows, which stands for all others; a key that one takes and the other does
not is found that way if there is any. Where a wildcard of the narrow one takes a word, that other word is enough: what
a wide one makes of it, it makes of any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from logrouter.wire.routing_key import Places, begin, ends, split_words, step

T = TypeVar("T")

_OTHER = "\0"
"""A word that no pattern holds."""

_WILDCARDS = ("*", "#")

_Pattern = tuple[str, ...]


class FirstWords(Generic[T]):
    """Things by the first words of their patterns: of a thousand rules each key concerns a few."""

    def __init__(self) -> None:
        self._count = 0
        self._anyhow: list[tuple[int, T]] = []
        self._by_word: dict[str, list[tuple[int, T]]] = {}

    def add(self, patterns: Iterable[str], thing: T) -> None:
        """Put in one with these patterns."""
        numbered = (self._count, thing)
        self._count += 1
        words = {first_word(pattern) for pattern in patterns}
        for those in [self._anyhow] if words & {*_WILDCARDS} else [self._by_word.setdefault(w, []) for w in words]:
            those.append(numbered)

    def under(self, *words: str) -> list[T]:
        """Those with a pattern that begins with one of these words or a wildcard, in the order of their coming."""
        if self._by_word.keys().isdisjoint(words):
            return [thing for _, thing in self._anyhow]
        found = dict(self._anyhow)
        for word in words:
            found.update(self._by_word.get(word, ()))
        return [found[number] for number in sorted(found)]


def first_word(text: str) -> str:
    """Of a key or pattern; '' where it has none."""
    return text.partition(".")[0]


def named_words(pattern: str) -> set[str]:
    """The words of a pattern that are no wildcards."""
    return {word for word in split_words(pattern) if word not in _WILDCARDS}


def covers(wide: Sequence[str], narrow: str) -> bool:
    """Whether every key that `narrow` matches is matched by one of `wide`.

    Those of `wide` whose first word is neither a wildcard, nor empty, nor one of `narrow` make no difference.
    """
    words = tuple(split_words(narrow))
    others = [tuple(split_words(pattern)) for pattern in wide]
    first = begin(words), frozenset((other, begin(other)) for other in others)
    seen, pending = {first}, [first]
    while pending:
        places, reached = pending.pop()
        if ends(words, places) and not any(ends(*each) for each in reached):
            return False
        for word in _telling(words, places):
            following = step(words, places, word), _stepped(reached, word)
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return True


def _telling(pattern: _Pattern, places: Places) -> set[str]:
    """The words that the pattern takes next, one for all that a wildcard takes."""
    following = (pattern[place] for place in places if place < len(pattern))
    return {_OTHER if word in _WILDCARDS else word for word in following}


def _stepped(reached: Iterable[tuple[_Pattern, Places]], word: str) -> frozenset[tuple[_Pattern, Places]]:
    """The patterns that are still in the running after a word."""
    after = ((pattern, step(pattern, places, word)) for pattern, places in reached)
    return frozenset((pattern, places) for pattern, places in after if places)
