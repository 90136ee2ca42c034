"""Probes, with which a shipper finds out whether a router has been on the broker.

As its last step of setting up the broker, a router binds its ingress queue to the exchange of reports under a key of
its instance. A probe that a shipper publishes there under that key therefore reaches a queue if a router has been on
the broker, and none otherwise. The router discards the probe.

A probe needs no permission that a shipper does not have anyway. Asking the broker whether something exists requires a
permission on RabbitMQ 4.2.6 and later, and each "no" is an error in the broker's log.
"""

from __future__ import annotations

from logrouter.wire.message import Message

TYPE = "logrouter.probe/1"
_FAMILY = "logrouter.probe/"


def key(instance: str) -> str:
    """Return the key of probes for an instance. Only its ingress queue may be bound so that it receives this key."""
    return f"ready.{instance}"


def message(instance: str) -> Message:
    """Return a probe for the router of an instance."""
    return Message(key=key(instance), body=b"{}", type=TYPE, content_type="application/json")


def is_probe(given: Message) -> bool:
    """Report whether a message is a probe, in any version."""
    return given.type.startswith(_FAMILY)
