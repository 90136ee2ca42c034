"""Checks for messages that no broker carries. They run before sending, as such a message would end the connection."""

from __future__ import annotations

from logrouter.errors import PublishRefused
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.routing_key import MAX_KEY


def check_message(message: Message, limit: int = MAX_BODY) -> None:
    """Raise PublishRefused for a key that no broker carries, or for a body of more than `limit` bytes."""
    check_key(message.key)
    if len(message.body) > limit:
        raise too_large(len(message.body), limit)


def too_large(size: int, limit: int) -> PublishRefused:
    """Return the error for a body of `size` bytes where the broker takes at most `limit`."""
    return PublishRefused(f"the message has {size} bytes, and the broker takes messages of at most {limit} bytes")


def check_key(key: str) -> None:
    """Raise PublishRefused for a key of more than 255 bytes, or one with a lone surrogate, which has no UTF-8 form."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise PublishRefused(f"the key is not valid Unicode: {key[:40]!r}") from error
    if size > MAX_KEY:
        raise PublishRefused(f"the key has {size} bytes, but at most {MAX_KEY} are allowed: {key[:40]!r}...")
