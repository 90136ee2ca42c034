"""What work on queues has in common: deliveries by the handful."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from logrouter.broker.contract import Consumer, Delivery


async def some(
    coming: AsyncIterator[Delivery], consumer: Consumer, seconds: float, *sooner: asyncio.Future[None]
) -> list[Delivery]:
    """What has come, after waiting at most so long for the first, or until one of `sooner` is done.

    `coming` iterates over `consumer`.
    """
    first: asyncio.Future[Delivery] = asyncio.ensure_future(anext(coming))
    try:
        ends: set[asyncio.Future[Any]] = {first, *sooner}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return [first.result(), *consumer.drain()] if first.done() else []
    finally:
        first.cancel()
