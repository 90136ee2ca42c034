"""The socket protocol: MessagePack frames, each after its length as four bytes in network order.

Either side may be an older or newer logrouter. Unknown fields are ignored, and the server answers an unknown call with
an error.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec

from logrouter.errors import BrokerError
from logrouter.wire.message import Message

MAX_FRAME = 128 << 20
"""The maximum number of bytes in a frame: more than any message has, and little enough to hold in memory."""

_LENGTH = struct.Struct("!I")


class Call(msgspec.Struct, tag="call"):
    """Client to server: a call of a session method, or of `ack` or `close` of a consumer."""

    id: int
    name: str
    arguments: list[Any] = []  # msgspec copies the default
    message: Message | None = None


class Answer(msgspec.Struct, tag="answer"):
    """Server to client: the result of a call. `error` names the class of the exception, '' for none."""

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
    """Server to client: a consumer has ended."""

    consumer: int


class Lost(msgspec.Struct, tag="lost"):
    """Server to client: the session has ended, for this reason."""

    reason: str


ToServer = Call
ToClient = Answer | Handed | Ended | Lost

_encode = msgspec.msgpack.Encoder().encode
_from_client = msgspec.msgpack.Decoder(ToServer)
_from_server: msgspec.msgpack.Decoder[ToClient] = msgspec.msgpack.Decoder(ToClient)

_KINDS: list[type[BrokerError]] = [BrokerError, *BrokerError.__subclasses__()]
_ERRORS = {kind.__name__: kind for kind in _KINDS}


def write_frame(writer: asyncio.StreamWriter, frame: ToServer | ToClient) -> None:
    """Write a frame to the buffer of `writer`. Await `writer.drain()` to wait for room.

    Raises TypeError, ValueError or OverflowError if the frame cannot be encoded.
    """
    body = _encode(frame)
    writer.write(_LENGTH.pack(len(body)) + body)


async def read_call(reader: asyncio.StreamReader) -> Call:
    """Return the client's next frame. Raises EOFError, OSError, or ValueError if it is not a valid frame."""
    return _from_client.decode(await _read(reader))


async def read_reply(reader: asyncio.StreamReader) -> ToClient:
    """Return the server's next frame. Raises like `read_call`."""
    return _from_server.decode(await _read(reader))


async def _read(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_FRAME:
        raise ValueError(f"the peer sent a frame of {length} bytes, but at most {MAX_FRAME} are allowed")
    return await reader.readexactly(length)


def as_answer(number: int, error: BrokerError) -> Answer:
    """Return the answer that raises `error` at the client."""
    kind = next((each.__name__ for each in type(error).__mro__ if each.__name__ in _ERRORS), "BrokerError")
    return Answer(number, error=kind, reason=str(error))


def as_error(answer: Answer) -> BrokerError | None:
    """Return the error in an answer, if there is one. An unknown class becomes a BrokerError."""
    return _ERRORS.get(answer.error, BrokerError)(answer.reason) if answer.error else None
