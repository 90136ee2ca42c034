"""An agent that listens for syslog in tests, and clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from shipping import FaultyBroker, records, shipping

from logrouter.broker.embedded import EmbeddedBroker
from logrouter.observability.events import LISTEN_BEGUN
from logrouter.wire.record import Record
from shippers.agent import Agent
from shippers.input import Address, Input, Syslog


def free(kind: socket.SocketKind, host: str = "127.0.0.1") -> Address:
    """An address that nobody uses just now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return host, probe.getsockname()[1]


def udp() -> Address:
    return free(socket.SOCK_DGRAM)


def tcp() -> Address:
    return free(socket.SOCK_STREAM)


@contextlib.asynccontextmanager
async def listening(
    tmp_path: Path, broker: FaultyBroker | EmbeddedBroker, *, count: int = 1, **places: Any
) -> AsyncIterator[Agent]:
    """An agent that listens at `count` places by now."""
    before = LISTEN_BEGUN.count()
    feed = Syslog(**places)
    async with shipping(broker, [Input("", severity="notice", feed=feed)], tmp_path / "state") as agent:
        while LISTEN_BEGUN.count() < before + count:
            await asyncio.sleep(0.01)
        yield agent


async def taken(broker: FaultyBroker, count: int) -> list[Record]:
    """The records, once there are so many."""
    while len(found := records(broker.parts)) < count:
        await asyncio.sleep(0.01)
    return found


async def connect(address: Address) -> socket.socket:
    client = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, address)
    return client
