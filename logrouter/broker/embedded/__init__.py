"""The broker in this process: the same contract without a server; a directory is all that it needs."""

from logrouter.broker.embedded.broker import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
