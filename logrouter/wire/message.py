"""The message that every broker carries, independent of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BODY = 16 << 20
"""The maximum number of bytes in a body. RabbitMQ 4 closes the channel on a larger one by default.

No body is decompressed beyond this size either, so that every received body can be published again.
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A body and a routing key, with the AMQP properties that logrouter reads or writes. '' means unset.

    Messages are always published as persistent. The values of `headers` are str, int, bool, float, bytes, None and
    lists of these; foreign messages may also have nested tables, times and decimals. `user_id` is set only on received
    messages: it is the publisher's user name, which the broker has verified.
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
