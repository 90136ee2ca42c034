"""Whether a router has been on the broker: until then a message may go to listeners alone, and be lost to the archive.

In comes a session, out goes the answer to one probe (logrouter/wire/probe.py).
"""

from __future__ import annotations

import asyncio

from logrouter.broker.contract import EXCHANGE, Session
from logrouter.errors import Forbidden, NotFound, PublishRefused, Unroutable
from logrouter.wire import probe
from logrouter.wire.routing_key import marker
from logrouter.wire.statement import EXCHANGE as REPORTS


async def has_been_here(session: Session, instance: str, stop: asyncio.Event) -> bool:
    """Whether a router of this instance has been here; false as well if `stop` is set before the broker answers.

    Raises BrokerError: Forbidden where this user may neither publish a probe nor ask.
    """
    answer = asyncio.ensure_future(session.publish(REPORTS, probe.message(instance), apart=True))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({answer, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not answer.done():
        return False
    try:
        answer.result()
    except Unroutable:
        return False
    except NotFound:
        return bool(await _has_marker(session, instance))
    except Forbidden as refused:
        marked = await _has_marker(session, instance)
        if marked is None:
            remedy = f"give its user write on {EXCHANGE!r} and on {REPORTS!r} (rabbitmqctl set_permissions)"
            raise Forbidden(str(refused), remedy) from refused
        return marked
    except PublishRefused:
        return True  # a queue is bound, though it is full or without its quorum
    return True


async def _has_marker(session: Session, instance: str) -> bool | None:
    """Whether there is what routers leave besides, None if nobody says: from RabbitMQ 4.2.6 on that takes a right."""
    try:
        return await session.exchange_exists(marker(instance))
    except Forbidden:
        return None
