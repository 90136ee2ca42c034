"""The RabbitMQ arguments for each kind of queue."""

from __future__ import annotations

from typing import Any

from logrouter.broker.contract import TAIL_BYTES, TAIL_MESSAGES, Queue, QueueKind

DELIVERY_LIMIT = 1_000_000
"""The maximum number of redeliveries of a message. Without a limit RabbitMQ 3.10 requeues at the end of the queue, and
with -1 it drops the message."""


def settings(queue: Queue) -> dict[str, Any]:
    """Return the keyword arguments with which to declare `queue`.

    Do not change them: RabbitMQ refuses to declare an existing queue with other arguments, so a router would lose
    access to its queues. What may change belongs in a policy.
    """
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
            "x-dead-letter-strategy": "at-least-once",  # the default loses messages if the target is unavailable
            "x-overflow": "reject-publish",  # RabbitMQ falls back to at-most-once without it
        }
    return {"durable": True, "arguments": arguments}
