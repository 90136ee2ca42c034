"""Which broker a listening command means: what was asked for, or the `logrouter up` that runs on this machine."""

from __future__ import annotations

from pathlib import Path

from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.cli import options


def socket_path(state: Path) -> Path:
    """Where a running `up` lets other processes of its user in."""
    return state / "logrouter.sock"


def find_broker(url: str | None, state: Path | None) -> Broker:
    """The broker at `url`; without one a running `up`, else RabbitMQ on this machine. Raises UserError."""
    directory = options.state_directory(state)
    if url == "embedded" or (url is None and socket_path(directory).is_socket()):
        return connect(f"unix:{socket_path(directory)}", directory)
    return connect(url or options.LOCAL_BROKER, directory)
