"""The request message, `logrouter.request/1`, by which a router asks shippers to resend what the broker lost."""

from __future__ import annotations

from typing import Annotated

import msgspec

from logrouter.errors import WireError
from logrouter.wire.message import Message
from logrouter.wire.routing_key import word

TYPE = "logrouter.request/1"
EXCHANGE = "logrouter.requests"
"""The durable topic exchange for requests. The key is the shipper's host as a word, or EVERYBODY."""

EVERYBODY = "all"
"""The key when the shipper of a source is unknown. The shipper that knows the source answers."""

MOST_RANGES = 1000
"""The maximum number of ranges in one request."""

_Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class WantedRanges(msgspec.Struct, frozen=True):
    """Ranges `[start, end)` of a source, in bytes of its content."""

    source: str
    ranges: list[tuple[_Position, _Position]]


class Request(msgspec.Struct, frozen=True):
    """A request of a router.

    reporter: the id of the shipper that has the sources, '' if unknown.
    wanted: the ranges to resend. Empty when a router has just started: every shipper then states how far all its
    sources are.
    """

    instance: str
    reporter: str
    wanted: list[WantedRanges]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Request)


def to_message(request: Request, host: str) -> Message:
    """Return the message that carries a request to the shippers of a host. With '' it goes to all hosts."""
    key = word(host) if host else EVERYBODY
    return Message(key=key, body=_encoder.encode(request), type=TYPE, content_type="application/json")


def from_message(message: Message) -> Request:
    """Return the request in a message. Raises WireError if the message is not a valid request."""
    if message.type != TYPE:
        raise WireError(f"type {message.type!r} is not a request ({TYPE})")
    try:
        return _decoder.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"the request does not decode: {error}") from error
