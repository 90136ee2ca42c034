"""What the bench asks of its broker, beside the programs that it measures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel


@contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    """A channel of its own connection."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def depth(url: str, queue: str) -> int:
    """Messages that are ready in a queue."""
    with channel(url) as opened:
        return opened.queue_declare(queue, passive=True).method.message_count or 0


def clear(url: str, *queues: str) -> None:
    """Delete queues, with what is in them."""
    with channel(url) as opened:
        for queue in queues:
            opened.queue_delete(queue)
