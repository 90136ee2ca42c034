"""What stands in the body of a message that came from an AMQP 1.0 client.

RabbitMQ hands such a message to us as it came, with type `amqp-1.0`, unless its body is of plain data: as the sections
of AMQP 1.0, part 3.2. What programs log is a text or bytes there, an `amqp-value` that says in a few bytes in front
what it is and how long.
"""

from __future__ import annotations

from logrouter.wire.message import Message

TYPE = "amqp-1.0"

_DESCRIBED = 0x00
_CODES = {0x53: 1, 0x80: 8}
"""Constructors of a descriptor's number -> its bytes."""

_DATA, _VALUE, _FOOTER = 0x75, 0x77, 0x78

_LENGTHS = {0xA0: 1, 0xB0: 4, 0xA1: 1, 0xB1: 4}
"""Constructors of binaries and strings -> the bytes of their length."""


def content(message: Message) -> bytes:
    """The text or bytes in a message's body; the body itself where it holds anything else, or is none of AMQP 1.0."""
    body = message.body
    if message.type != TYPE:
        return body
    section, at = _section(body, 0)
    size = _LENGTHS.get(body[at]) if at < len(body) else None
    if section not in (_DATA, _VALUE) or size is None:
        return body
    begin = at + 1 + size
    end = begin + int.from_bytes(body[at + 1 : begin], "big")
    is_last = end == len(body) or _section(body, end)[0] == _FOOTER
    return body[begin:end] if end <= len(body) and is_last else body


def _section(body: bytes, at: int) -> tuple[int, int]:
    """The kind of the section that begins there, -1 for none, and where its value does."""
    size = _CODES.get(body[at + 1]) if body[at : at + 1] == bytes([_DESCRIBED]) and at + 1 < len(body) else None
    if size is None:
        return -1, at
    return int.from_bytes(body[at + 2 : at + 2 + size], "big"), at + 2 + size
