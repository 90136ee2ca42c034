"""A check of how deep JSON is nested, on its bytes, because a decoder would recurse as deep as its input. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

_OPENERS_ONLY = bytes(set(range(256)) - set(b"[{\n"))
_STRUCTURE_ONLY = bytes(set(range(256)) - set(b'"[]{}'))
_AS_PARENTHESES = bytes.maketrans(b"[]{}", b"()()")
_AS_STEPS = bytes.maketrans(b"()", b"\x01\xff")
"""One level down (+1) or up (-1), as signed bytes."""

_CHUNK = 1 << 16


def is_deeper_than(body: bytes, limit: int) -> bool:
    """Report whether a decoder of these bytes would go deeper than `limit` levels.

    `body` is one JSON value or several in a row. An object or array of plain values is one level. A decoder stops at
    the first error, so what follows an error may or may not count. Pass exactly the bytes that will be decoded, because
    the result for a broken line says nothing about the lines after it.
    """
    return not _has_few_openers(body, limit) and _is_deeper(body, limit)


def _has_few_openers(body: bytes, limit: int) -> bool:
    """Report whether all lines are objects with at most `limit` opening brackets, counting those in strings.

    This is three times as fast as the exact check.
    """
    openers = body.translate(_AS_PARENTHESES, _OPENERS_ONLY)
    are_objects = body.count(b"}\n{") + body.endswith(b"\n") == body.count(b"\n")
    return are_objects and b"(" * (limit + 1) not in openers


def _is_deeper(body: bytes, limit: int) -> bool:
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = unescaped.translate(_AS_PARENTHESES, _STRUCTURE_ONLY)
    outside = b"".join(_outside_strings(structure.replace(b'""', b"")))
    if b"(" * (limit + 1) in outside:
        return True
    steps = memoryview(outside.translate(_AS_STEPS)).cast("b")
    return max(accumulate(steps), default=0) > limit


def _outside_strings(structure: bytes) -> Iterator[bytes]:
    """Yield what is outside quotes, chunk by chunk to save memory: each piece between two quotes is an object."""
    is_inside = 0
    for begin in range(0, len(structure), _CHUNK):
        pieces = structure[begin : begin + _CHUNK].split(b'"')
        yield b"".join(pieces[is_inside::2])
        is_inside = (is_inside + len(pieces) - 1) % 2
