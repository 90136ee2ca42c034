"""Requests: a router asks shippers to send again what the broker lost. `logrouter.request/1`, one JSON object."""

from __future__ import annotations

from typing import Annotated

import msgspec

from logrouter.errors import WireError
from logrouter.wire.message import Message
from logrouter.wire.routing_key import word

TYPE = "logrouter.request/1"
EXCHANGE = "logrouter.requests"
"""The durable topic exchange that requests are published to, under the word of a shipper's host, or EVERYBODY."""

EVERYBODY = "all"
"""In place of a host, where it is not known whose a source is: whoever knows the source answers."""

MOST_RANGES = 1000
"""In one request."""

_Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class WantedRanges(msgspec.Struct, frozen=True):
    """Ranges `[start, end)` of a source, in bytes of its content."""

    source: str
    ranges: list[tuple[_Position, _Position]]


class Request(msgspec.Struct, frozen=True):
    """What a router wants.

    reporter: the id of the shipper whose sources they are, '' where that is not known.
    wanted: nothing where a router has just begun: then shippers are to state how far all their sources are.
    """

    instance: str
    reporter: str
    wanted: list[WantedRanges]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Request)


def to_message(request: Request, host: str) -> Message:
    """The message that carries a request to the shippers of a host, '' for all."""
    key = word(host) if host else EVERYBODY
    return Message(key=key, body=_encoder.encode(request), type=TYPE, content_type="application/json")


def from_message(message: Message) -> Request:
    """The request in a message. Raises WireError for anything else."""
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is no request ({TYPE})")
    try:
        return _decoder.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"the request does not decode: {error}") from error
