"""Headers of every type of AMQP 0-9-1, with any value: the message is laid aside or put off, no connection ends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import aiormq
import pytest
from parts import part
from rabbitmq_node import RabbitNode
from routers import archiving, running

from logrouter.batch import to_message
from logrouter.broker.amqp import AmqpBroker
from logrouter.broker.amqp.wire import Properties
from logrouter.broker.contract import EXCHANGE
from logrouter.destinations.contract import Notifying
from logrouter.errors import Retry
from logrouter.message import Message
from logrouter.observe import events
from logrouter.router.delivering import Deliverer
from logrouter.router.handoff import Handoff
from logrouter.router.serving import RouterSettings

pytestmark = pytest.mark.rabbitmq

_OURS = [f"x-logrouter-{name}" for name in ("key", "reason", "attempts", "rule", "source", "keys", "from", "session")]
_TEXTS = [b"", b"a", b"\xff\xfe", "é\x1b]0;\x07\u2028".encode(), b"\xed\xa0\x80", b"\0", b"\xe9" * 255]
_EDGES = {"b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "l": 8, "L": 8, "T": 8, "D": 5}
"""Types of one size whose every value RabbitMQ takes: bytes of a value."""

_ODD = [b"f\0\0\0\1", b"d" + struct.pack(">d", 1e300), b"t\0", b"t\1", b"V"]


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _value(random: Random, depth: int) -> bytes:
    kind = random.choice([*_EDGES, *(["A", "F", "S", "x", ""] if depth < 4 else ["S"])])
    if not kind:
        return random.choice(_ODD)
    if size := _EDGES.get(kind):
        value = random.choice([bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), random.randbytes(size)])
    elif kind == "A":
        value = _long(b"".join(_value(random, depth + 1) for _ in range(random.randrange(3))))
    elif kind == "F":
        value = table(random, depth + 1)
    else:
        value = _long(random.choice(_TEXTS))
    return kind.encode() + value


def table(random: Random, depth: int = 0) -> bytes:
    """The bytes of a table."""
    entries = []
    for _ in range(random.randrange(6)):
        name = random.choice([random.choice(_OURS).encode(), random.choice(_TEXTS)])
        entries.append(bytes([len(name)]) + name + _value(random, depth))
    return _long(b"".join(entries))


def properties(random: Random, type_: str) -> Properties:
    """Of a type, with any headers; some of them nearly fill a frame."""
    found = Properties(message_type=type_, message_id="1")
    found.headers = table(random)
    if random.random() < 0.05:
        found.headers = _long(b"\x01hS" + _long(b"x" * 126_500))
    return found


@pytest.fixture
async def foreign(rabbitmq: RabbitNode) -> AsyncIterator[aiormq.Channel]:
    async with aiormq.connect(rabbitmq.url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        assert isinstance(channel, aiormq.Channel)
        yield channel


async def test_a_message_that_is_laid_aside_goes_with_any_headers(
    rabbitmq: RabbitNode, foreign: aiormq.Channel, tmp_path: Path, fresh: Callable[[str], str]
) -> None:
    instance, random, lost = fresh("headers").replace(".", "-"), Random(20261129), events.BROKER_LOST.count()
    async with running(AmqpBroker([rabbitmq.url]), archiving(tmp_path, RouterSettings(instance))) as session:
        for number in range(300):
            await foreign.basic_publish(
                b"%d" % number,
                exchange="logrouter.reports" if number % 3 == 0 else "log",
                routing_key="shipper.h1" if number % 3 == 0 else "app.h1.info",
                properties=properties(random, "logrouter.batch/1"),
            )
        await session.publish(EXCHANGE, to_message(part(0, 10)))
        async with asyncio.timeout(60):
            while await session.depth(f"logrouter.{instance}.dead") < 300:
                await asyncio.sleep(0.05)
    assert events.BROKER_LOST.count() == lost


class Failing:
    """A destination whose every delivery is to be tried again."""

    name = "failing"

    async def deliver(self, notification: Message) -> None:
        raise Retry("not now")


async def test_a_notification_is_put_off_with_any_headers(
    rabbitmq: RabbitNode, foreign: aiormq.Channel, fresh: Callable[[str], str]
) -> None:
    handoff = Handoff(fresh("headers").replace(".", "-"), "failing", retries=(3600.0,))
    failing: Notifying = Failing()  # type: ignore[assignment]  # delivering is all that is asked of it
    random = Random(20261129)
    async with AmqpBroker([rabbitmq.url]).session() as session:
        for queue in handoff.queues():
            await session.declare_queue(queue)
        for _ in range(200):
            odd = properties(random, "logrouter.notification/1")
            await foreign.basic_publish(b"", routing_key=handoff.outbox, properties=odd)
        condition = events.Condition(events.NOTIFYING_FAILING, events.NOTIFYING_RESUMED)
        deliverer = Deliverer(session, handoff, failing, condition)
        work = asyncio.create_task(deliverer.deliver())
        async with asyncio.timeout(60):
            while await session.depth(handoff.delays[0]) < 200:
                assert not work.done(), work.result()
                await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
