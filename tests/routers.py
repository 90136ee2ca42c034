"""A router that runs on a broker for as long as a test uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from logrouter.broker.contract import Broker, Session
from logrouter.router.router import route
from logrouter.router.serving import Routing


@asynccontextmanager
async def running(broker: Broker, routing: Routing, *, drained: bool = True) -> AsyncIterator[Session]:
    """A session to publish on; leaving drains the router, or just stops it, and closes its ledger."""
    stop, drain = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(route(broker, routing, stop, drain))
    try:
        async with broker.session() as session:
            while not await session.exchange_exists(f"logrouter.{routing.settings.instance}.ready"):
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
            yield session
            (drain if drained else stop).set()
            await work
    finally:
        stop.set()
        await asyncio.wait({work})
        routing.ledger.close()
