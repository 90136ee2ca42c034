"""What goes over the socket: MessagePack frames behind a length of four bytes, in network order.

In come and out go the kinds of frames below. Either side may be an older or newer logrouter: unknown fields are
ignored, and a call that the server does not know is answered with an error.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec

from logrouter.errors import BrokerError
from logrouter.wire.message import Message

MAX_FRAME = 128 << 20
"""Bytes: above any message, below what would hurt."""

_LENGTH = struct.Struct("!I")


class Call(msgspec.Struct, tag="call"):
    """Client to server: a method of the session, or `ack` and `close` of a consumer."""

    id: int
    name: str
    arguments: list[Any] = []  # msgspec copies it
    message: Message | None = None


class Answer(msgspec.Struct, tag="answer"):
    """Server to client: what a call came to; `error` names the exception's class."""

    id: int
    value: Any = None
    error: str = ""
    reason: str = ""


class Handed(msgspec.Struct, tag="handed"):
    """Server to client: a delivery."""

    consumer: int
    tag: int
    redelivered: bool
    message: Message


class Ended(msgspec.Struct, tag="ended"):
    """Server to client: a consumer has no more to come."""

    consumer: int


class Lost(msgspec.Struct, tag="lost"):
    """Server to client: the session is gone, and why."""

    reason: str


ToServer = Call
ToClient = Answer | Handed | Ended | Lost

_encode = msgspec.msgpack.Encoder().encode
_from_client = msgspec.msgpack.Decoder(ToServer)
_from_server: msgspec.msgpack.Decoder[ToClient] = msgspec.msgpack.Decoder(ToClient)

_KINDS: list[type[BrokerError]] = [BrokerError, *BrokerError.__subclasses__()]
_ERRORS = {kind.__name__: kind for kind in _KINDS}


def write_frame(writer: asyncio.StreamWriter, frame: ToServer | ToClient) -> None:
    """Put a frame on its way; `writer.drain` waits for room. Raises TypeError, ValueError, OverflowError: no frame."""
    body = _encode(frame)
    writer.write(_LENGTH.pack(len(body)) + body)


async def read_call(reader: asyncio.StreamReader) -> Call:
    """The client's next frame. Raises EOFError, OSError, or ValueError for what is no frame of ours."""
    return _from_client.decode(await _read(reader))


async def read_reply(reader: asyncio.StreamReader) -> ToClient:
    """The server's next frame; raises as `read_call` does."""
    return _from_server.decode(await _read(reader))


async def _read(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes is none of ours")
    return await reader.readexactly(length)


def as_answer(number: int, error: BrokerError) -> Answer:
    """The answer that raises `error` at the client."""
    kind = next((each.__name__ for each in type(error).__mro__ if each.__name__ in _ERRORS), "BrokerError")
    return Answer(number, error=kind, reason=str(error))


def as_error(answer: Answer) -> BrokerError | None:
    """The error in an answer, if it holds one."""
    return _ERRORS.get(answer.error, BrokerError)(answer.reason) if answer.error else None
