"""What no broker carries, told before it is sent: on a connection it would cost everybody the connection."""

from __future__ import annotations

from logrouter.errors import PublishRefused
from logrouter.keys import MAX_KEY


def check_key(key: str) -> None:
    """Raise PublishRefused for a key of over 255 bytes, or one that is not Unicode (a lone surrogate)."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise PublishRefused(f"the key is not Unicode: {key[:40]!r}") from error
    if size > MAX_KEY:
        raise PublishRefused(f"the key has {size} bytes, and {MAX_KEY} are allowed: {key[:40]!r}...")
