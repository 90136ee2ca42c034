"""The broker contract without a server: queues in this process, durable in a directory."""

from logrouter.broker.embedded.broker import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
