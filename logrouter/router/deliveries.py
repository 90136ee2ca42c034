"""Deliveries by the handful, for work that looks around between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from logrouter.broker.contract import Consumer, Delivery


async def some(coming: AsyncIterator[Delivery], consumer: Consumer, seconds: float) -> list[Delivery]:
    """What has come, after waiting at most so long for the first; `coming` iterates over `consumer`."""
    try:
        async with asyncio.timeout(seconds):
            return [await anext(coming), *consumer.drain()]
    except TimeoutError:
        return []
