"""Reads the bodies of messages from AMQP 1.0 clients.

Unless the body is plain data, RabbitMQ delivers such a message with type `amqp-1.0` and its body unchanged: the encoded
sections of AMQP 1.0, part 3.2. Log messages are text or bytes there, in an `amqp-value` section whose first bytes give
the type and the length.
"""

from __future__ import annotations

from logrouter.wire.message import Message

TYPE = "amqp-1.0"

_DESCRIBED = 0x00
_CODES = {0x53: 1, 0x80: 8}
"""Size in bytes of a descriptor's number, by its constructor."""

_DATA, _VALUE, _FOOTER = 0x75, 0x77, 0x78

_LENGTHS = {0xA0: 1, 0xB0: 4, 0xA1: 1, 0xB1: 4}
"""Size in bytes of the length of a binary or string, by its constructor."""


def content(message: Message) -> bytes:
    """Return the text or bytes in a message's body, or the body unchanged if it holds anything else."""
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
    """Return the kind of the section that begins at `at`, or -1 if none does, and the offset of its value."""
    size = _CODES.get(body[at + 1]) if body[at : at + 1] == bytes([_DESCRIBED]) and at + 1 < len(body) else None
    if size is None:
        return -1, at
    return int.from_bytes(body[at + 2 : at + 2 + size], "big"), at + 2 + size
