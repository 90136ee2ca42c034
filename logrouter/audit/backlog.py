"""What still waits on the broker for an instance. While messages wait, an audit is unresolved."""

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
class Backlog:
    """The backlog. waiting: messages by queue, without empty queues.   unknown: why a queue's depth is not known."""

    waiting: Mapping[str, int]
    unknown: Mapping[str, BrokerError]


async def look_into(session: Session, queues: Iterable[str]) -> Backlog:
    """Return what waits in these queues. A queue that does not exist is empty. Raises SessionLost."""
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
    return Backlog(waiting, unknown)


def queues_of(instance: str, destinations: Iterable[str], inline: Collection[str], note: str) -> list[str]:
    """Return the names of all queues that an instance has or had.

    Few others are among them, because RabbitMQ logs an error when it is asked for a queue that does not exist.
    destinations: all that the instance has or had.   inline: those of them that have no queues now.
    note: the router's note of the queues that it has declared, '' if there is none.
    """
    handoffs = (Handoff(instance, name) for name in destinations if not note or name not in inline)
    own = [ingress(instance), dead(instance), RouterReporter(instance).queue.name]
    return list(dict.fromkeys([*own, *(queue.name for each in handoffs for queue in each.queues()), *noted(note)]))
