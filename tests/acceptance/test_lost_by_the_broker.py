"""What the broker loses after a confirm: the router asks the shipper again, or the audit says that it is gone."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pika
import pytest
from corpus import read_archive
from rabbitmq_node import RabbitNode

from acceptance.conftest import Command, Start, wait_for
from logrouter.broker import connect
from logrouter.broker.contract import EXCHANGE, Queue, QueueKind, Session


class Site:
    """A shipper that follows one log, and a router, each a process that can be started and ended."""

    def __init__(self, directory: Path, start: Start, url: str, instance: str) -> None:
        self.directory = directory
        self.url = url
        self.instance = instance
        self.queue = f"logrouter.{instance}"
        self._start = start
        self._numbers = itertools.count()
        self.log = directory / "app.log"
        self.log.touch()
        self.written = 0

    def router(self) -> subprocess.Popen[str]:
        return self._start("run", "--broker", self.url, "--instance", self.instance)

    def shipper(self) -> subprocess.Popen[str]:
        return self._start("ship", "--broker", self.url, "--instance", self.instance, "--file", f"app={self.log}")

    async def begun(self) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
        """A router and a shipper that have taken the first hundred lines to the archive."""
        router, shipper = self.router(), self.shipper()
        self.write(100)
        await self.all_archived()
        return router, shipper

    def write(self, count: int) -> None:
        with self.log.open("a") as file:
            for _ in range(count):
                file.write(f"line {next(self._numbers):06}\n")
        self.written += count

    def archived(self) -> list[str]:
        archive = self.directory / "state/archive/app"
        return [record.message for record in read_archive(archive)] if archive.exists() else []

    async def all_archived(self) -> None:
        """Wait until every line that was written is in the archive, each once and in order."""
        async with asyncio.timeout(60):
            while len(self.archived()) < self.written:
                await asyncio.sleep(0.1)
        assert self.archived() == [f"line {number:06}" for number in range(self.written)]


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate()


@pytest.fixture
def site(tmp_path: Path, start: Start, rabbitmq: RabbitNode, fresh: Callable[[str], str]) -> Site:
    return Site(tmp_path, start, rabbitmq.url, fresh("site").replace(".", "-"))


async def listener(session: Session) -> Callable[[int], Awaitable[None]]:
    """Listen to everything, as `tail '#'` does: so that a message has a queue to go to without the router's."""
    queue = Queue("logrouter.tail.test-" + str(id(session)), QueueKind.TAIL)
    await session.declare_exchange(EXCHANGE)
    await session.declare_queue(queue)
    await session.bind(queue.name, EXCHANGE, "app.#")
    consumer = await session.consume(queue.name, prefetch=0)

    async def wait_for_lines(count: int) -> None:
        async with asyncio.timeout(30):
            async for delivery in consumer:
                count -= int(delivery.message.headers["x-logrouter-count"])
                if count <= 0:
                    return

    return wait_for_lines


async def test_a_binding_that_was_removed_while_somebody_listened(site: Site, tmp_path: Path) -> None:
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        router, _ = await site.begun()
        await session.unbind(site.queue, EXCHANGE, "#")
        site.write(500)
        await hear(600)
        await session.bind(site.queue, EXCHANGE, "#")
        site.write(100)
        await site.all_archived()
    wait_for(router, "lines.healed")


async def test_a_queue_that_was_deleted_while_somebody_listened(site: Site, tmp_path: Path) -> None:
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        router, _ = await site.begun()
        end(router)
        site.write(500)
        await hear(600)
        await session.delete_queue(site.queue)
        site.router()
        site.write(100)
        await site.all_archived()


async def test_a_queue_that_was_purged_and_nothing_came_after_it(site: Site, tmp_path: Path) -> None:
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        router, shipper = await site.begun()
        end(router)
        site.write(500)
        await hear(600)
        end(shipper)
        await session.purge(site.queue)
        site.router()
        site.shipper()  # what it says when it begins is compared with what came
        await site.all_archived()


async def test_what_an_instance_lost_that_is_younger_than_the_shipper_and_older_than_the_file(
    site: Site, tmp_path: Path, logrouter: Command, start: Start
) -> None:
    younger = f"{site.instance}-2"
    options = ("--broker", site.url, "--instance", younger, "--state", tmp_path / "younger")
    await site.begun()
    assert logrouter("run", "--drain", *options).returncode == 0
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        site.log.rename(tmp_path / "app.log.1")
        site.write(500)
        await hear(500)
        await session.purge(f"logrouter.{younger}")
    start("run", *options)
    archive = tmp_path / "younger/archive/app"
    async with asyncio.timeout(60):
        while not archive.exists() or len(read_archive(archive)) < 500:
            await asyncio.sleep(0.1)
    assert [record.message for record in read_archive(archive)] == [f"line {number:06}" for number in range(100, 600)]


async def test_a_queue_that_a_policy_cut_while_somebody_listened(
    site: Site, tmp_path: Path, rabbitmq: RabbitNode
) -> None:
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        router, _ = await site.begun()
        end(router)
        rabbitmq.control("set_policy", site.queue, f"^{site.queue}$", '{"max-length": 1}', "--apply-to", "queues")
        for _ in range(5):
            site.write(100)
            await asyncio.sleep(0.2)  # so that they are several windows
        await hear(600)
        router = site.router()
        await site.all_archived()
        rabbitmq.control("clear_policy", site.queue)
    wait_for(router, "lines.healed")


async def test_what_is_lost_and_can_be_read_no_more_is_said_to_be_gone(
    site: Site, tmp_path: Path, logrouter: Command
) -> None:
    async with connect(site.url, tmp_path).session() as session:
        hear = await listener(session)
        router, shipper = await site.begun()
        end(router)
        site.write(500)
        await hear(600)
        end(shipper)
        await session.purge(site.queue)
    site.log.unlink()
    router = site.router()
    site.shipper()
    wait_for(router, "lines.lost")
    end(router)
    audit = logrouter("audit", "--broker", site.url, "--instance", site.instance)
    assert audit.returncode == 1, audit.stdout
    assert "bytes lost by the broker that can no longer be read" in audit.stdout


async def test_a_shipper_whose_exchange_was_deleted_says_so_once_and_goes_on(site: Site) -> None:
    router, shipper = await site.begun()
    end(router)
    with pika.BlockingConnection(pika.URLParameters(site.url)) as connection:
        connection.channel().exchange_delete(EXCHANGE)
    site.write(100)
    wait_for(shipper, "publish.refused")
    await asyncio.sleep(3)  # in which it tries again
    site.router()
    await site.all_archived()
    said = wait_for(shipper, "publish.taken")
    shipper.terminate()
    said += shipper.communicate()[1]
    counts = [said.count(event) for event in ("publish.refused", "publish.taken", "broker.lost")]
    assert counts == [0, 1, 0], said
