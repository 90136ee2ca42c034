"""What travels over the exchange, in either direction and on either broker: one frozen message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BODY = 16 << 20
"""Bytes of a body that every broker takes: RabbitMQ 4 closes the channel on a larger one by default.

No body is unpacked beyond it either, so that what was taken in can be handed on.
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A body under a routing key, with the AMQP properties that logrouter reads or writes; '' stands for unset.

    Messages are always published persistent. `headers` hold str, int, bool, float, bytes, None and lists of
    them; those of foreign messages also nested tables, times and decimals. `user_id` is set on what was delivered: the
    user that the broker vouches for.
    """

    key: str
    body: bytes
    type: str = ""
    content_type: str = ""
    content_encoding: str = ""
    message_id: str = ""
    correlation_id: str = ""
    app_id: str = ""
    timestamp: float | None = None
    user_id: str = field(default="", compare=False)
    headers: Mapping[str, Any] = field(default_factory=dict)
