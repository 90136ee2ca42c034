"""Probes: how a shipper finds out that a router has been on the broker, with no right but those that it has anyway.

A router that has declared everything binds its ingress queue to the exchange of reports under a key of its instance,
last of all. So a probe that a shipper publishes there under that key finds a queue once a router has been here, and
none before. The router drops it. To ask the broker whether something is there takes rights on RabbitMQ 4.2.6 and newer,
and each "no" is an error in the broker's log.
"""

from __future__ import annotations

from logrouter.wire.message import Message

TYPE = "logrouter.probe/1"
_FAMILY = "logrouter.probe/"


def key(instance: str) -> str:
    """The key that the ingress queue of an instance is bound under. Nobody else may bind a queue that takes it."""
    return f"ready.{instance}"


def message(instance: str) -> Message:
    """A probe for the router of an instance."""
    return Message(key=key(instance), body=b"{}", type=TYPE, content_type="application/json")


def is_probe(given: Message) -> bool:
    """Whether a message is one, in any version."""
    return given.type.startswith(_FAMILY)
