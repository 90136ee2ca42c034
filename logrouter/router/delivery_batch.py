"""Takes deliveries from a consumer in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from logrouter.broker.contract import Consumer, Delivery


async def some(
    coming: AsyncIterator[Delivery], consumer: Consumer, seconds: float, *sooner: asyncio.Future[None]
) -> list[Delivery]:
    """Return the deliveries that are available. Wait at most `seconds` for the first, or until one of `sooner` is done.

    coming: an iterator over `consumer`.
    """
    first: asyncio.Future[Delivery] = asyncio.ensure_future(anext(coming))
    try:
        ends: set[asyncio.Future[Any]] = {first, *sooner}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return [first.result(), *consumer.drain()] if first.done() else []
    finally:
        first.cancel()
