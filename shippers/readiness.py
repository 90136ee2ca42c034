"""Finds out whether a router has been on the broker, by one probe (logrouter/wire/probe.py).

Until a router has been there, a message may reach only listeners and be lost to the archive.
"""

from __future__ import annotations

import asyncio

from logrouter.broker.contract import EXCHANGE, Session
from logrouter.errors import Forbidden, NotFound, PublishRefused, Unroutable
from logrouter.wire import probe
from logrouter.wire.routing_key import marker
from logrouter.wire.statement import EXCHANGE as REPORTS


async def router_has_been_present(session: Session, instance: str, stop: asyncio.Event) -> bool:
    """Report whether a router of this instance has been on the broker; false if `stop` is set before the answer comes.

    Raises BrokerError: Forbidden, with a remedy, if this user may neither publish a probe nor look for the marker.
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
        return True  # a queue is bound, but it is full or has lost its quorum
    return True


async def _has_marker(session: Session, instance: str) -> bool | None:
    """Report whether the exchange that marks a router exists; None if this user may not ask.

    From RabbitMQ 4.2.6 on, asking takes a permission on the exchange.
    """
    try:
        return await session.exchange_exists(marker(instance))
    except Forbidden:
        return None
