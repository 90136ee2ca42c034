"""What topic patterns can match, worked out for all keys at once: whether one pattern covers another. Pure.

In come patterns, out comes an answer for every key there could be. Both patterns are walked together over their own
words and one word that neither knows, which stands for all others; a key that one takes and the other does not is
found that way if there is any.
"""

from __future__ import annotations

from collections.abc import Sequence

from logrouter.keys import Places, begin, ends, split_words, step

_OTHER = "\0"
"""A word that no pattern holds."""


def covers(wide: Sequence[str], narrow: str) -> bool:
    """Whether every key that `narrow` matches is matched by one of `wide`."""
    patterns = [tuple(split_words(pattern)) for pattern in (narrow, *wide)]
    alphabet = {word for pattern in patterns for word in pattern if word not in ("*", "#")} | {_OTHER}
    first: tuple[Places, ...] = tuple(begin(pattern) for pattern in patterns)
    seen, pending = {first}, [first]
    while pending:
        state = pending.pop()
        matched = [ends(pattern, places) for pattern, places in zip(patterns, state, strict=True)]
        if matched[0] and not any(matched[1:]):
            return False
        for word in alphabet:
            following = tuple(step(pattern, places, word) for pattern, places in zip(patterns, state, strict=True))
            if following[0] and following not in seen:
                seen.add(following)
                pending.append(following)
    return True
