"""What a router keeps on the broker while it serves: its instance for itself, and all that it declared."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path

import pytest
from corpus import read_archive
from parts import part
from routers import archiving, running

from logrouter.broker.contract import EXCHANGE, Broker, Session
from logrouter.errors import BrokerError, LogrouterError
from logrouter.ledger.losses import BEFORE
from logrouter.observability.events import LEASE_FREE, LEASE_HELD, TOPOLOGY_RESTORED, Event
from logrouter.router import instance as keeping
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.router.router import route
from logrouter.wire.batch import Part, to_message
from logrouter.wire.statement import EXCHANGE as REPORTS
from logrouter.wire.statement import SHIPPER, SourceStatement, Statement
from logrouter.wire.statement import to_message as statement_message


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "_CHECK_SECONDS", 0.2)


@pytest.fixture
def instance(fresh: Callable[[str], str]) -> str:
    return fresh("kept").replace(".", "-")


def routing(directory: Path, instance: str) -> RouterContext:
    return archiving(directory, RouterSettings(instance), path="{service}.jsonl.gz")


async def until_said(event: Event, before: float) -> None:
    async with asyncio.timeout(30):
        while event.count() == before:
            await asyncio.sleep(0.01)


async def archived(session: Session, its: Part, archive: Path) -> None:
    """Publish it until it is in the archive: what comes before the binding is there goes to no queue of this test."""
    async with asyncio.timeout(30):
        while len(read_archive(archive)) < its.count:
            with suppress(BrokerError):
                await session.publish(EXCHANGE, to_message(its))
            await asyncio.sleep(0.1)


async def test_a_second_router_of_an_instance_is_refused(
    broker: Broker, tmp_path: Path, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_STALE_LEASE_SECONDS", 0.3)
    async with running(broker, routing(tmp_path / "first", instance)):
        second = routing(tmp_path / "second", instance)
        with pytest.raises(LogrouterError, match=f"another router serves instance {instance}") as refused:
            await asyncio.wait_for(route(broker, second, asyncio.Event()), 30)
        second.ledger.close()
    assert "give this one its own --instance" in refused.value.remedy


async def test_the_next_router_of_an_instance_waits_for_the_end_of_the_one_before(
    broker: Broker, tmp_path: Path, instance: str
) -> None:
    taken, free = LEASE_HELD.count(), LEASE_FREE.count()
    async with AsyncExitStack() as next_life:
        async with running(broker, routing(tmp_path / "first", instance)) as session:
            await session.publish(EXCHANGE, to_message(part(0, 5)))
            await next_life.enter_async_context(running(broker, routing(tmp_path / "second", instance)))
            await until_said(LEASE_HELD, taken)
        await until_said(LEASE_FREE, free)
    assert len(read_archive(tmp_path / "first/archive")) == 5


async def test_where_an_older_source_stood_when_it_was_first_heard_of_is_kept_at_once(
    broker: Broker, tmp_path: Path, instance: str
) -> None:
    source = SourceStatement(
        source="old", input="web", path="/w", start=0, read=0, confirmed=0, lines=0, since=1.0
    )  # fmt: skip
    said = Statement(
        kind=SHIPPER, reporter="r", host="h", version="1", config="c", started=1.0, at=time.time(), sources=[source]
    )  # fmt: skip
    its = routing(tmp_path, instance)
    with closing(sqlite3.connect(tmp_path / f"state/{instance}.ledger")) as ledger:
        async with running(broker, its, drained=False) as session:
            await session.publish(REPORTS, statement_message(said, "shipper.h"))
            async with asyncio.timeout(30):
                while not ledger.execute("SELECT 1 FROM stated WHERE source = 'old'").fetchone():
                    await asyncio.sleep(0.001)
        assert ledger.execute("SELECT start, stop, outcome FROM missing").fetchall() == [(0, 0, BEFORE)]


@pytest.mark.parametrize("queue", ["", ".dead", ".reports"])
async def test_a_queue_that_was_deleted_is_made_anew(broker: Broker, tmp_path: Path, instance: str, queue: str) -> None:
    async with running(broker, routing(tmp_path, instance)) as session:
        before = TOPOLOGY_RESTORED.count()
        await session.delete_queue(f"logrouter.{instance}{queue}")
        await until_said(TOPOLOGY_RESTORED, before)
        await archived(session, part(0, 5), tmp_path / "archive")
        assert await session.depth(f"logrouter.{instance}{queue}") == 0


async def test_a_binding_that_was_removed_is_made_anew(broker: Broker, tmp_path: Path, instance: str) -> None:
    async with running(broker, routing(tmp_path, instance)) as session:
        await session.unbind(f"logrouter.{instance}", EXCHANGE, "#")
        await archived(session, part(0, 5), tmp_path / "archive")
