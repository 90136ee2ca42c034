"""What makes a queue of each kind in RabbitMQ."""

from __future__ import annotations

from typing import Any

from logrouter.broker.contract import TAIL_BYTES, TAIL_MESSAGES, Queue, QueueKind

DELIVERY_LIMIT = 1_000_000
"""Times a message may come again: without a limit RabbitMQ 3.10 puts it at the queue's end, with -1 it drops it."""


def settings(queue: Queue) -> dict[str, Any]:
    """A kind of queue as RabbitMQ's settings; ARCHITECTURE says what was lost without each of them."""
    if queue.kind is QueueKind.TAIL:
        bounds = {"x-max-length-bytes": TAIL_BYTES, "x-max-length": TAIL_MESSAGES, "x-overflow": "drop-head"}
        return {"exclusive": True, "auto_delete": True, "arguments": bounds}
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
    if queue.kind is QueueKind.INGRESS:
        arguments["x-single-active-consumer"] = True
    if queue.kind is QueueKind.DELAY:
        arguments |= {
            "x-message-ttl": round(queue.delay * 1000),
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue.target,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    return {"durable": True, "arguments": arguments}
