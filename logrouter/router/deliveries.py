"""What work on queues has in common: deliveries by the handful, and depths of queues that may not be there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from logrouter.broker.contract import Consumer, Delivery, Session
from logrouter.errors import BrokerError, SessionLost


async def some(coming: AsyncIterator[Delivery], consumer: Consumer, seconds: float) -> list[Delivery]:
    """What has come, after waiting at most so long for the first; `coming` iterates over `consumer`."""
    try:
        async with asyncio.timeout(seconds):
            return [await anext(coming), *consumer.drain()]
    except TimeoutError:
        return []


async def depth(session: Session, queue: str) -> int | None:
    """Messages that are ready in a queue, None if it is not there. Raises SessionLost."""
    try:
        return await session.depth(queue)
    except SessionLost:
        raise
    except BrokerError:
        return None
