"""What no broker carries, told before it is sent: on a connection it would cost everybody the connection."""

from __future__ import annotations

from logrouter.errors import PublishRefused
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.routing_key import MAX_KEY


def check_message(message: Message, most: int = MAX_BODY) -> None:
    """Raise PublishRefused for a key that no broker carries, or a body of over `most` bytes."""
    check_key(message.key)
    if len(message.body) > most:
        raise too_large(len(message.body), most)


def too_large(size: int, most: int) -> PublishRefused:
    """What is said of a body of `size` bytes."""
    return PublishRefused(f"the message has {size} bytes, and the broker takes messages of at most {most} bytes")


def check_key(key: str) -> None:
    """Raise PublishRefused for a key of over 255 bytes, or one that is not Unicode (a lone surrogate)."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise PublishRefused(f"the key is not Unicode: {key[:40]!r}") from error
    if size > MAX_KEY:
        raise PublishRefused(f"the key has {size} bytes, and {MAX_KEY} are allowed: {key[:40]!r}...")
