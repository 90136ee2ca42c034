"""What still waits on the broker for an instance: while there is any, nobody can say that all is whole.

In comes a session, out go the depths of the instance's queues by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logrouter.broker.contract import Session
from logrouter.config.destinations import DestinationModel
from logrouter.config.email import EmailModel
from logrouter.router.aside import depth
from logrouter.router.handoff import Handoff
from logrouter.router.reporting import Reporter
from logrouter.router.topology import ingress


async def queue_depths(session: Session, instance: str, destinations: Mapping[str, DestinationModel]) -> dict[str, int]:
    """Messages that wait, by queue; queues that are not there hold none. Raises SessionLost."""
    return {name: waiting for name in _queues(instance, destinations) if (waiting := await depth(session, name) or 0)}


def _queues(instance: str, destinations: Mapping[str, DestinationModel]) -> Iterable[str]:
    yield ingress(instance)
    yield Reporter(instance).queue.name
    for name, model in destinations.items():
        handoff = Handoff(instance, name)
        yield handoff.records
        if isinstance(model, EmailModel):
            yield from (handoff.outbox, *handoff.delays)
