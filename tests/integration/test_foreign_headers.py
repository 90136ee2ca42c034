"""Headers of every type of AMQP 0-9-1, with any value: the message is laid aside or put off, no connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import aiormq
import pytest
from amqp_tables import properties
from parts import part
from rabbitmq_node import RabbitNode
from routers import archiving, running

from logrouter.broker.amqp import AmqpBroker
from logrouter.broker.contract import EXCHANGE
from logrouter.destinations.contract import Notifying
from logrouter.errors import Retry
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.deliver import Deliverer
from logrouter.router.handoff import Handoff
from logrouter.router.ingress import RouterSettings
from logrouter.wire.batch import to_message
from logrouter.wire.message import Message

pytestmark = pytest.mark.rabbitmq


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
        condition = Condition(events.NOTIFYING_FAILING, events.NOTIFYING_RESUMED)
        deliverer = Deliverer(session, handoff, failing, condition)
        work = asyncio.create_task(deliverer.deliver())
        async with asyncio.timeout(60):
            while await session.depth(handoff.delays[0]) < 200:
                assert not work.done(), work.result()
                await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
