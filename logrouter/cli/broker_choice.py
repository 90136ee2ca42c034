"""Chooses the broker of a listening command: the one it names, or the `logrouter up` that runs on this machine."""

from __future__ import annotations

from pathlib import Path

from logrouter.app.locations import socket_path, state_directory
from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.cli import options


def find_broker(url: str | None, state: Path | None) -> Broker:
    """Return the broker at `url`. If None, return a running `up`, else RabbitMQ on this machine. Raises UserError."""
    directory = state_directory(state)
    if url == "embedded" or (url is None and socket_path(directory).is_socket()):
        return connect(f"unix:{socket_path(directory)}", directory)
    return connect(url or options.LOCAL_BROKER, directory)
