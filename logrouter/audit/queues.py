"""What still waits on the broker for an instance: while there is any, nobody can say that all is whole.

In comes a session, out go the depths of the instance's queues by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from logrouter.broker.contract import Session
from logrouter.router.deliveries import depth
from logrouter.router.handoff import Handoff
from logrouter.router.reporting import Reporter
from logrouter.router.topology import dead, ingress


async def queue_depths(session: Session, instance: str, destinations: Iterable[str]) -> dict[str, int]:
    """Messages that wait, by queue; queues that are not there hold none.

    destinations: the names of all that the instance has or had. Raises SessionLost.
    """
    return {name: waiting for name in _queues(instance, destinations) if (waiting := await depth(session, name) or 0)}


def _queues(instance: str, destinations: Iterable[str]) -> Iterable[str]:
    yield ingress(instance)
    yield dead(instance)
    yield Reporter(instance).queue.name
    for name in destinations:
        yield from (queue.name for queue in Handoff(instance, name).queues())
