"""Limit loops: what is left of a job when everything but its necessary work is taken away.

`python -m benchmarks.limits ship URL QUEUE FILE` reads, splits, encodes and publishes with confirms; `route URL QUEUE
FILE COUNT` consumes, compresses (isal, level 1), syncs and acknowledges; `foreign URL QUEUE FILE COUNT` consumes
single lines, writes them and acknowledges by hundreds. Each with aio-pika and uvloop, as whoever writes it for one
purpose would.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import aio_pika
import msgspec
import uvloop
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, DeliveryMode
from isal import isal_zlib

WINDOW = 256 << 10
_IN_FLIGHT = 64
_WRITE = 8 << 20
_ACK_EVERY = 100


class Line(msgspec.Struct):
    """A record of ours, whose fields are all known beforehand."""

    message: str
    pos: int
    end: int
    ts: str = "2026-11-22T12:00:00.000000Z"
    service: str = "app"
    host: str = "h1"
    severity: str = "info"
    source: str = "0123456789abcdef"


async def ship(url: str, queue: str, path: Path) -> None:
    """File -> confirmed in a quorum queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        room = asyncio.Semaphore(_IN_FLIGHT)
        async with asyncio.TaskGroup() as group:
            for body in _bodies(path):
                await room.acquire()
                group.create_task(_publish(channel, queue, body)).add_done_callback(lambda _: room.release())


def _bodies(path: Path) -> Iterator[bytes]:
    encoder, pos, rest = msgspec.json.Encoder(), 0, b""
    with path.open("rb") as file:
        while chunk := file.read(WINDOW):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            lines = (whole + newline).splitlines(keepends=True)
            ends = list(accumulate(map(len, lines), initial=pos))
            texts = whole.decode(errors="replace").split("\n")
            yield encoder.encode_lines([Line(*each) for each in zip(texts, ends, ends[1:], strict=False)])
            pos = ends[-1]


async def _publish(channel: AbstractChannel, queue: str, body: bytes) -> None:
    message = aio_pika.Message(body, delivery_mode=DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue, mandatory=True)


async def route(url: str, queue: str, path: Path, count: int) -> None:
    """So many messages -> one gzip file, synced every 8 MiB, while the next are consumed."""
    packed = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 31)
    file = os.open(path, os.O_WRONLY | os.O_CREAT)

    def write(bodies: list[bytes]) -> None:
        for body in bodies:
            os.write(file, packed.compress(body))
        os.fdatasync(file)

    async with await aio_pika.connect(url) as connection:
        arrived = await _consuming(await connection.channel(), queue, 512)
        while count:
            message = await arrived.get()
            bodies = [message.body]
            size = len(message.body)
            while len(bodies) < count and size < _WRITE and (not arrived.empty() or size < _WRITE // 8):
                message = await arrived.get()
                bodies.append(message.body)
                size += len(message.body)
            await asyncio.to_thread(write, bodies)
            await message.ack(multiple=True)
            count -= len(bodies)
    os.write(file, packed.flush())
    os.fsync(file)


async def foreign(url: str, queue: str, path: Path, count: int) -> None:
    """So many single lines -> a file, acknowledged by hundreds."""
    with path.open("wb") as file:
        async with await aio_pika.connect(url) as connection:
            arrived = await _consuming(await connection.channel(), queue, 512)
            for number in range(1, count + 1):
                message = await arrived.get()
                file.write(message.body + b"\n")
                if number % _ACK_EVERY == 0 or number == count:
                    await message.ack(multiple=True)


async def _consuming(channel: AbstractChannel, queue: str, prefetch: int) -> asyncio.Queue[AbstractIncomingMessage]:
    await channel.set_qos(prefetch_count=prefetch)
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    source = await channel.get_queue(queue)
    await source.consume(arrived.put)
    return arrived


def main() -> None:
    """Run one."""
    kind, url, queue, path, *count = sys.argv[1:]
    if kind == "ship":
        uvloop.run(ship(url, queue, Path(path)))
    else:
        uvloop.run({"route": route, "foreign": foreign}[kind](url, queue, Path(path), int(count[0])))


if __name__ == "__main__":
    main()
