"""Deliveries taken out of the stream of frames before the AMQP library sees it.

In come bytes as the socket gives them. Frames that carry deliveries to one of our consumers go to that consumer, read
at once; all others go on to the library. That takes three frames for a delivery, each through a lock, a buffer, two
queues and a decoder for every type there is, and then a task; for messages of one line it is most of what they cost.
What is not plainly a delivery is the library's to judge, as before.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import NamedTuple

from pamqp import frame
from pamqp.heartbeat import Heartbeat

_FRAME = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_END = 0xCE
_DELIVER = b"\x00\x3c\x00\x3c"
"""Class and method of Basic.Deliver; behind them stand consumer, tag, redelivered, exchange and key."""

_TAG = struct.Struct(">Q?")
_SIZE = struct.Struct(">HHQ")

_SIGN_OF_LIFE = frame.marshal(Heartbeat(), 0)
_SIGN_SECONDS = 1.0
"""RabbitMQ sends no heartbeats while it sends deliveries, and the library would take its silence for death."""


class Delivered(NamedTuple):
    """A message as it came. properties: AMQP's flags and properties, encoded."""

    key: str
    tag: int
    redelivered: bool
    properties: bytes
    body: bytes


class DeliveryFrames:
    """The frames of one channel's deliveries -> each delivery, in order."""

    def __init__(self, deliver: Callable[[Delivered], None]) -> None:
        self._deliver = deliver
        self._begun: tuple[str, int, bool] | None = None
        self._properties = b""
        self._missing = -1  # bytes of the body; -1 before its header
        self._body: list[bytes] = []

    def take(self, kind: int, payload: bytes) -> bool:
        """Take a frame; false if it is none of a delivery, and means something to the library."""
        if kind == _METHOD:
            if payload[:4] != _DELIVER:
                return False
            self._begun, self._missing = _read_deliver(payload), -1
            return True
        if self._begun is None:
            return False
        if kind == _HEADER:
            _, _, self._missing = _SIZE.unpack_from(payload)
            self._properties = payload[_SIZE.size :]
        elif kind == _BODY and self._missing > 0:
            self._body.append(payload)
            self._missing -= len(payload)
        else:
            return False
        if self._missing <= 0:
            begun, body = self._begun, self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._begun, self._body = None, []
            self._deliver(Delivered(*begun, self._properties, body))
        return True


class FrameReader(asyncio.StreamReader):
    """A connection's stream as the library reads it: without the deliveries to channels in `contents`."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.contents: dict[int, DeliveryFrames] = {}
        self._rest = b""
        self._is_foreign = False
        self._signed = 0.0

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # bytes are all that a transport gives
        """Bytes from the socket, cut anywhere."""
        data = self._rest + data if self._rest else data
        at = passed = 0
        while not self._is_foreign and at + _FRAME.size <= len(data):
            kind, channel, size = _FRAME.unpack_from(data, at)
            end = at + _FRAME.size + size + 1
            if kind not in (_METHOD, _HEADER, _BODY, _HEARTBEAT):
                self._is_foreign = True  # no frames: the library says what is wrong with it
            elif end > len(data):
                break
            elif data[end - 1] != _END:
                self._is_foreign = True
            else:
                content = self.contents.get(channel)
                if content is not None and content.take(kind, data[at + _FRAME.size : end - 1]):
                    self._pass_on(data[passed:at])
                    passed = end
                at = end
        if self._is_foreign:
            at = len(data)
        self._pass_on(data[passed:at])
        self._rest = data[at:]
        if passed and (now := asyncio.get_running_loop().time()) - self._signed > _SIGN_SECONDS:
            self._signed = now
            self._pass_on(_SIGN_OF_LIFE)

    def sign_of_life(self) -> None:
        """Let the library know that the broker lives."""
        if not self.at_eof():
            self._pass_on(_SIGN_OF_LIFE)

    def feed_eof(self) -> None:
        """The end of the stream."""
        self._pass_on(self._rest)
        self._rest = b""
        super().feed_eof()

    def _pass_on(self, data: bytes) -> None:
        if data:
            super().feed_data(data)


def _read_deliver(payload: bytes) -> tuple[str, int, bool]:
    at = 5 + payload[4]
    tag, redelivered = _TAG.unpack_from(payload, at)
    at += _TAG.size
    at += 1 + payload[at]
    return payload[at + 1 : at + 1 + payload[at]].decode(errors="backslashreplace"), tag, redelivered
