"""Tables of headers as AMQP 0-9-1 writes them: every type that RabbitMQ passes on, with values at its edges."""

from __future__ import annotations

import struct
from random import Random

from logrouter.broker.amqp.properties import EncodedProperties

_OURS = [f"x-logrouter-{name}" for name in ("key", "reason", "attempts", "rule", "source", "keys", "from", "session")]
_TEXTS = [b"", b"a", b"\xff\xfe", "é\x1b]0;\x07\u2028".encode(), b"\xed\xa0\x80", b"\0", b"\xe9" * 255]
_EDGES = {"b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "l": 8, "L": 8, "T": 8, "D": 5}
"""Types of one size whose every value RabbitMQ takes: bytes of a value."""

_ODD = [b"f\0\0\0\1", b"d" + struct.pack(">d", 1e300), b"t\0", b"t\1", b"V"]


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _value(random: Random, depth: int) -> bytes:
    kind = random.choice([*_EDGES, *(["A", "F", "S", "x", ""] if depth < 4 else ["S"])])
    if not kind:
        return random.choice(_ODD)
    if size := _EDGES.get(kind):
        value = random.choice([bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), random.randbytes(size)])
    elif kind == "A":
        value = _long(b"".join(_value(random, depth + 1) for _ in range(random.randrange(3))))
    elif kind == "F":
        value = table(random, depth + 1)
    else:
        value = _long(random.choice(_TEXTS))
    return kind.encode() + value


def table(random: Random, depth: int = 0) -> bytes:
    """The bytes of a table."""
    entries = []
    for _ in range(random.randrange(6)):
        name = random.choice([random.choice(_OURS).encode(), random.choice(_TEXTS)])
        entries.append(bytes([len(name)]) + name + _value(random, depth))
    return _long(b"".join(entries))


def properties(random: Random, type_: str) -> EncodedProperties:
    """Of a type, with any headers; some of them nearly fill a frame."""
    found = EncodedProperties(message_type=type_, message_id="1")
    found.headers = table(random)
    if random.random() < 0.05:
        found.headers = _long(b"\x01hS" + _long(b"x" * 126_500))
    return found
