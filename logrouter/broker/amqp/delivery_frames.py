"""A stream reader that takes deliveries out of the stream of AMQP frames before the library sees them.

Frames that carry a delivery to one of our consumers are decoded here and go to that consumer. All other frames go to
the library. The library would pass each of the three frames of a delivery through a lock, a buffer, two queues and a
decoder for every type, and then start a task, which is most of the cost of a message of one line. Anything that is not
clearly a delivery stays with the library.
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
"""Class and method of Basic.Deliver. Consumer, tag, redelivered, exchange and key follow."""

_TAG = struct.Struct(">Q?")
_SIZE = struct.Struct(">HHQ")

_SIGN_OF_LIFE = frame.marshal(Heartbeat(), 0)
_SIGN_SECONDS = 1.0
"""The interval of simulated heartbeats. RabbitMQ sends none while it sends deliveries, which the library does not see,
so without these it would consider the broker dead."""


class Delivered(NamedTuple):
    """A delivered message. `properties` are the AMQP property flags and properties, still encoded."""

    key: str
    tag: int
    redelivered: bool
    properties: bytes
    body: bytes


class DeliveryFrames:
    """Assembles the frames of one channel into deliveries, and calls `deliver` with each, in order."""

    def __init__(self, deliver: Callable[[Delivered], None]) -> None:
        self._deliver = deliver
        self._begun: tuple[str, int, bool] | None = None
        self._properties = b""
        self._missing = -1  # bytes of the body that have not arrived; -1 before the header
        self._body: list[bytes] = []

    def take(self, kind: int, payload: bytes) -> bool:
        """Take a frame. Return False if it is not part of a delivery and so belongs to the library."""
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
    """A connection's stream as the library reads it, without the deliveries of the channels in `contents`."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.contents: dict[int, DeliveryFrames] = {}
        self._rest = b""
        self._is_foreign = False
        self._signed = 0.0

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # a transport passes only bytes
        """Take bytes from the socket, which may begin and end anywhere in a frame."""
        data = self._rest + data if self._rest else data
        at = passed = 0
        while not self._is_foreign and at + _FRAME.size <= len(data):
            kind, channel, size = _FRAME.unpack_from(data, at)
            end = at + _FRAME.size + size + 1
            if kind not in (_METHOD, _HEADER, _BODY, _HEARTBEAT):
                self._is_foreign = True  # not AMQP frames: the library reports the error
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

    def simulate_heartbeat(self) -> None:
        """Pass a simulated heartbeat to the library, so that it considers the broker alive."""
        if not self.at_eof():
            self._pass_on(_SIGN_OF_LIFE)

    def feed_eof(self) -> None:
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
