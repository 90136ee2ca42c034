"""What a router declares, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rabbitmq_node import RabbitNode

from logrouter.broker.amqp import AmqpBroker
from logrouter.broker.contract import Session
from logrouter.errors import NotFound, Unroutable
from logrouter.ledger.ledger import Ledger
from logrouter.router.handoff import Handoff
from logrouter.router.statements import RouterReporter
from logrouter.router.topology import NOTE, declare, noted
from logrouter.wire import probe
from logrouter.wire.routing_key import ingress
from logrouter.wire.statement import EXCHANGE as REPORTS

Fresh = Callable[[str], str]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger")
    yield ledger
    ledger.close()


async def test_declaring_leaves_no_error_in_the_log_of_the_broker(
    rabbitmq: RabbitNode, ledger: Ledger, fresh: Fresh
) -> None:
    begin, absent = len(rabbitmq.log), fresh("absent")
    async with AmqpBroker([rabbitmq.url]).session() as session:
        for handoffs in ([], [Handoff("i", fresh("mail"))]):
            await declare(session, ledger, fresh("i"), handoffs=handoffs)
        with pytest.raises(NotFound):
            await session.depth(absent)  # so that it is seen what would be there
    async with asyncio.timeout(20):
        while absent not in rabbitmq.log[begin:]:
            await asyncio.sleep(0.01)
    errors = [line for line in rabbitmq.log[begin:].splitlines() if "[error]" in line and "channel exception" in line]
    assert [absent in line for line in errors] == [True]


async def test_it_waits_for_young_queues_alone(
    session: Session, ledger: Ledger, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0

    async def settle() -> None:
        nonlocal waits
        waits += 1

    monkeypatch.setattr(session, "settle", settle)
    instance = fresh("i")
    for expected in (1, 1):
        await declare(session, ledger, instance)
        assert waits == expected
    mail = Handoff(instance, "mail")
    for handoffs, expected in (([mail], 2), ([mail], 2), ([], 2)):
        await declare(session, ledger, instance, handoffs=handoffs)
        assert waits == expected
    assert {ingress(instance), *(queue.name for queue in mail.queues())} <= set(noted(ledger.note(NOTE)))


async def test_only_its_own_ingress_queue_takes_probes(session: Session, ledger: Ledger, fresh: Fresh) -> None:
    instance, other = fresh("i"), fresh("other")
    reports = RouterReporter(instance).queue
    await session.declare_exchange(REPORTS)
    await session.declare_queue(reports)
    await session.bind(reports.name, REPORTS, "#")  # as routers did before
    await declare(session, ledger, instance)
    with pytest.raises(Unroutable):
        await session.publish(REPORTS, probe.message(other))
    consumer = await session.consume(ingress(instance), prefetch=9)
    sent = asyncio.ensure_future(session.publish(REPORTS, probe.message(instance)))
    delivery = await asyncio.wait_for(anext(aiter(consumer)), 20)
    assert delivery.message == probe.message(instance)
    await consumer.ack([delivery])
    await sent
    assert await session.depth(reports.name) == 0
