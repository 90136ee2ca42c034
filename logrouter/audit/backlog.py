"""What still waits on the broker for an instance: while there is any, nobody can say that all is whole.

In comes a session, out go the depths of the instance's queues, and those that it may not be asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from logrouter.broker.contract import Session
from logrouter.errors import BrokerError, NotFound, SessionLost
from logrouter.router.handoff import Handoff
from logrouter.router.statements import RouterReporter
from logrouter.router.topology import noted
from logrouter.wire.routing_key import dead, ingress


@dataclass(frozen=True, slots=True)
class Queued:
    """Messages that wait, by queue; those that hold none are left out.   unknown: queues not told of, and why."""

    waiting: Mapping[str, int]
    unknown: Mapping[str, BrokerError]


async def look_into(session: Session, queues: Iterable[str]) -> Queued:
    """What waits in these. A queue that is not there holds nothing. Raises SessionLost."""
    waiting: dict[str, int] = {}
    unknown: dict[str, BrokerError] = {}
    for name in queues:
        try:
            messages = await session.depth(name)
        except SessionLost:
            raise
        except NotFound:
            continue
        except BrokerError as error:
            unknown[name] = error
        else:
            if messages:
                waiting[name] = messages
    return Queued(waiting, unknown)


def queues_of(instance: str, destinations: Iterable[str], inline: Collection[str], note: str) -> list[str]:
    """The names of all queues that an instance has or had, and of few others: to ask for one is an error in a log.

    destinations: all that it has or had.   inline: those of them that have no queues now.
    note: of the router, of the queues that it has declared; '' if it has made none.
    """
    handoffs = (Handoff(instance, name) for name in destinations if not note or name not in inline)
    own = [ingress(instance), dead(instance), RouterReporter(instance).queue.name]
    return list(dict.fromkeys([*own, *(queue.name for each in handoffs for queue in each.queues()), *noted(note)]))
