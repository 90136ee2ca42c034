"""How deep JSON is nested, told from its bytes: a decoder recurses as deep as whoever wrote them likes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

_OPENERS_ONLY = bytes(set(range(256)) - set(b"[{\n"))
_STRUCTURE_ONLY = bytes(set(range(256)) - set(b'"[]{}'))
_AS_PARENTHESES = bytes.maketrans(b"[]{}", b"()()")
_AS_STEPS = bytes.maketrans(b"()", b"\x01\xff")
"""A level down or up, as signed bytes."""

_CHUNK = 1 << 16


def is_deeper_than(body: bytes, most: int) -> bool:
    """Whether a decoder of these bytes, one JSON value or one after the other, would go deeper than `most` levels.

    An object or array of plain values is one level. A decoder stops at the first mistake, so what follows it may count
    or not. Give it the very bytes that are to be decoded: a broken line says nothing of those behind it.
    """
    return not _has_few_openers(body, most) and _is_deeper(body, most)


def _has_few_openers(body: bytes, most: int) -> bool:
    """Whether no line opens more, in or out of strings, and all lines are objects: three times as fast as the truth."""
    openers = body.translate(_AS_PARENTHESES, _OPENERS_ONLY)
    are_objects = body.count(b"}\n{") + body.endswith(b"\n") == body.count(b"\n")
    return are_objects and b"(" * (most + 1) not in openers


def _is_deeper(body: bytes, most: int) -> bool:
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = unescaped.translate(_AS_PARENTHESES, _STRUCTURE_ONLY)
    outside = b"".join(_outside_strings(structure.replace(b'""', b"")))
    if b"(" * (most + 1) in outside:
        return True
    steps = memoryview(outside.translate(_AS_STEPS)).cast("b")
    return max(accumulate(steps), default=0) > most


def _outside_strings(structure: bytes) -> Iterator[bytes]:
    """What is in no quotes; a chunk at a time, as each piece between two quotes is an object of its own."""
    is_inside = 0
    for begin in range(0, len(structure), _CHUNK):
        pieces = structure[begin : begin + _CHUNK].split(b'"')
        yield b"".join(pieces[is_inside::2])
        is_inside = (is_inside + len(pieces) - 1) % 2
