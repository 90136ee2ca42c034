"""What only the embedded broker promises: durability on local disk, through a restart and through kill -9."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from logrouter.broker.contract import Consumer, Delivery, Queue, QueueKind, Session
from logrouter.broker.embedded import EmbeddedBroker
from logrouter.broker.embedded.ready_queue import Line, ReadyMessage
from logrouter.broker.embedded.session import EmbeddedSession
from logrouter.errors import BrokerError, PublishRefused, SessionLost, StateError, Unroutable
from logrouter.observability.events import BROKER_STORE_FAILED
from logrouter.wire.message import Message


async def take(consumer: Consumer, count: int) -> list[Delivery]:
    async with asyncio.timeout(20):
        return [await anext(aiter(consumer)) for _ in range(count)]


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    return [delivery.message.body for delivery in deliveries]


async def declare_all(session: Session, delay: float = 0.2) -> None:
    await session.declare_exchange("log")
    await session.declare_queue(Queue("in", QueueKind.INGRESS))
    await session.declare_queue(Queue("out", QueueKind.HANDOFF))
    await session.declare_queue(Queue("out.retry", QueueKind.DELAY, delay=delay, target="out"))
    await session.declare_queue(Queue("out.dead", QueueKind.DEAD))
    await session.bind("out", "log", "#")
    await session.bind("out", "log", "a.#")
    await session.unbind("out", "log", "a.#")


async def test_a_restart_keeps_durable_queues_with_bindings_and_contents(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path / "state").session() as session:
        await declare_all(session)
        await session.bind("in", "log", "#")
        await session.unbind("in", "log", "#")
        for key in ("out.dead", "out.retry"):
            await session.publish("", Message(key=key, body=key.encode(), headers={"n": 1, "b": b"\xff"}))
        for number in range(4):
            await session.publish("log", Message(key="k", body=b"%d" % number, timestamp=1.5))
        consumer = await session.consume("out", prefetch=2)
        await consumer.ack((await take(consumer, 2))[:1])

    async with EmbeddedBroker(tmp_path / "state").session() as session:
        assert not await session.exchange_exists("log")  # a router has not been here yet
        with pytest.raises(Unroutable):
            await session.publish("", Message(key="in", body=b""))
        await session.declare_exchange("log")
        await session.publish("log", Message(key="k", body=b"new"))
        (dead,) = await take(await session.consume("out.dead", prefetch=1), 1)
        assert dead.message == Message(key="out.dead", body=b"out.dead", headers={"n": 1, "b": b"\xff"})
        deliveries = await take(await session.consume("out", prefetch=9), 5)
        assert set(bodies(deliveries)) == {b"1", b"2", b"3", b"new", b"out.retry"}
        assert bodies(deliveries)[:3] == [b"1", b"2", b"3"]
        assert {each.message.body: each.redelivered for each in deliveries} == {
            b"1": True,
            b"2": True,
            b"3": True,
            b"new": False,
            b"out.retry": False,
        }

    async with EmbeddedBroker(tmp_path / "state").session() as session:
        assert [await session.depth(queue) for queue in ("out", "out.dead", "out.retry")] == [5, 1, 0]


async def test_what_was_purged_deleted_or_acknowledged_does_not_come_back(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await declare_all(session, delay=0.05)
        for key in ("out", "out.dead", "out.dead", "out.retry"):
            await session.publish("", Message(key=key, body=b"x"))
        consumer = await session.consume("out", prefetch=1)
        await consumer.ack(await take(consumer, 1))
        await consumer.ack(await take(consumer, 1))  # the delayed one
        assert await session.purge("out.dead") == 2
        await session.publish("", Message(key="out.retry", body=b"x"))
        assert await session.purge("out.retry") == 1
        await session.publish("", Message(key="out.retry", body=b"x"))
        await session.delete_queue("out.retry")
    async with EmbeddedBroker(tmp_path).session() as session:
        assert [await session.depth(queue) for queue in ("out", "out.dead")] == [0, 0]
        with pytest.raises(BrokerError):
            await session.depth("out.retry")


async def test_a_message_that_became_due_while_nothing_ran_moves_at_the_start(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await declare_all(session, delay=3600)
        await session.publish("", Message(key="out.retry", body=b"late"))
    with sqlite3.connect(tmp_path / "broker.sqlite") as database:
        database.execute("UPDATE messages SET due = due - 3600")
    database.close()
    async with EmbeddedBroker(tmp_path).session() as session:
        assert bodies(await take(await session.consume("out", prefetch=1), 1)) == [b"late"]


async def test_the_next_session_of_one_broker_finds_everything(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    async with broker.session() as session:
        await declare_all(session)
        await session.publish("", Message(key="out", body=b"stored"))
        undecided = session.publish("", Message(key="in", body=b"in memory"))
    with pytest.raises(SessionLost):
        await undecided
    async with broker.session() as session:
        assert await session.exchange_exists("log")
        assert bodies(await take(await session.consume("out", prefetch=9), 1)) == [b"stored"]
        assert bodies(await take(await session.consume("in", prefetch=9), 1)) == [b"in memory"]
        await session.publish("log", Message(key="k", body=b""))


async def test_an_ingress_publish_ends_when_its_consumer_has_acknowledged_it(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await declare_all(session)
        await session.bind("in", "log", "#")
        consumer = await session.consume("in", prefetch=9)
        sent = [session.publish("log", Message(key="k", body=b"%d" % number)) for number in range(3)]
        deliveries = await take(consumer, 3)
        assert await session.depth("out") <= 3
        await session.publish("", Message(key="out", body=b"after"))  # the copies for `out` are on disk by now
        assert await session.depth("out") == 4
        assert not any(each.done() for each in sent)
        await consumer.ack(deliveries[1:2])
        await sent[1]
        assert not sent[0].done()
        await consumer.ack(deliveries)
        await asyncio.gather(*sent)


async def test_purging_an_ingress_queue_lets_its_publishers_go_on(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await session.declare_queue(Queue("in", QueueKind.INGRESS))
        sent = session.publish("", Message(key="in", body=b""))
        assert await session.purge("in") == 1
        await sent
        sent = session.publish("", Message(key="in", body=b""))
        await session.delete_queue("in")
        await sent


_ROOT = Path(__file__).parents[2]
_PUBLISHER = """
import asyncio, sys
from pathlib import Path
from logrouter.broker.contract import Queue, QueueKind
from logrouter.broker.embedded import EmbeddedBroker
from logrouter.wire.message import Message

async def main():
    async with EmbeddedBroker(Path(sys.argv[1])).session() as session:
        await session.declare_queue(Queue("out", QueueKind.HANDOFF))
        await session.declare_queue(Queue("retry", QueueKind.DELAY, delay=0.01, target="out"))
        def confirmed(number, sent):
            sent.result()
            print(number, flush=True)
        for number in range(10**9):
            key = ("out", "retry")[number % 2]
            sent = session.publish("", Message(key=key, body=b"%d" % number + bytes(2000)))
            sent.add_done_callback(lambda sent, number=number: confirmed(number, sent))
            if number % 10 == 9:
                await asyncio.sleep(0.0005)
asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 300, 2000])
async def test_every_confirmed_message_survives_kill_minus_9(tmp_path: Path, lines: int) -> None:
    command = [sys.executable, "-c", _PUBLISHER, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    confirmed = [int(await process.stdout.readline()) for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    confirmed += [int(line) for line in (await process.stdout.read()).splitlines(keepends=True) if line.endswith(b"\n")]
    await process.wait()
    async with EmbeddedBroker(tmp_path).session() as session:
        consumer = await session.consume("out", prefetch=100)
        found: list[int] = []
        while not set(confirmed) <= set(found):
            deliveries = [*await take(consumer, 1), *consumer.drain()]
            found += [int(body[:-2000]) for body in bodies(deliveries)]
            await consumer.ack(deliveries)
    direct = [number for number in found if number % 2 == 0]
    assert direct == sorted(set(direct))


async def test_a_second_process_is_told_that_the_directory_is_in_use(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session():
        command = [sys.executable, "-c", _PUBLISHER, str(tmp_path)]
        process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stderr=subprocess.PIPE)
        _, errors = await process.communicate()
    assert b"StateError" in errors
    assert b"in use by another process" in errors


async def test_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await session.declare_queue(Queue("out", QueueKind.HANDOFF))
    with sqlite3.connect(tmp_path / "broker.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = (tmp_path / "broker.sqlite").read_bytes()
    with pytest.raises(StateError, match="version 99"):
        async with EmbeddedBroker(tmp_path).session():
            pass
    assert (tmp_path / "broker.sqlite").read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broker.sqlite").write_bytes(b"not a database at all, and long enough to be sure of it" * 100)
    with pytest.raises(StateError, match="not a database"):
        async with EmbeddedBroker(tmp_path).session():
            pass


async def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path / "new").session() as session:
        await session.declare_queue(Queue("out", QueueKind.HANDOFF))
        await session.publish("", Message(key="out", body=b"secret"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == {"broker.sqlite": 0o600, "broker.sqlite-wal": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def pragma(session: EmbeddedSession, setting: str) -> int:
    """A setting of the open database: a way to a disk that is full or fails."""
    store = session._switchboard._store
    row = await store._in_thread(lambda: store._open_database.execute(f"PRAGMA {setting}").fetchone())
    return int(row[0]) if row else 0


async def test_a_full_disk_refuses_publishes_and_loses_nothing(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await declare_all(session, delay=0.01)
        await session.publish("", Message(key="out", body=b"before"))
        consumer = await session.consume("out", prefetch=1)
        deliveries = await take(consumer, 1)
        pages = await pragma(session, "page_count")
        await pragma(session, f"max_page_count = {pages + 2}")
        together = [session.publish("", Message(key="out", body=bytes(size))) for size in (10, 100_000)]
        for sent in together:
            with pytest.raises(PublishRefused, match="full"):
                await sent
        with pytest.raises(BrokerError, match="full"):
            await session.declare_queue(Queue("q" * 100_000, QueueKind.DEAD))
        await pragma(session, "max_page_count = 1000000")
        await session.publish("", Message(key="out", body=bytes(100_000)))
        await consumer.ack(deliveries)
        assert len((await take(consumer, 1))[0].message.body) == 100_000
    async with EmbeddedBroker(tmp_path).session() as session:
        assert await session.depth("out") == 1


async def test_changes_that_share_a_transaction_fail_together(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path).session() as session:
        await session.declare_queue(Queue("out", QueueKind.HANDOFF))
        sent = session.publish("", Message(key="out", body=b"1"))
        broken = session._switchboard._store._write(lambda database: 1 / 0)
        with pytest.raises(PublishRefused):
            await sent
        with pytest.raises(BrokerError):
            await broken
        await session.publish("", Message(key="out", body=b"2"))
    async with EmbeddedBroker(tmp_path).session() as session:
        assert await session.depth("out") == 1


async def test_a_disk_that_fails_ends_the_session_of_a_consumer_and_delays_wait(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    before = BROKER_STORE_FAILED.count()
    async with broker.session() as watching, broker.session() as session:
        await declare_all(session, delay=0.01)
        await session.publish("", Message(key="out", body=b"kept"))
        await session.publish("", Message(key="out.dead", body=b"kept"))
        consumer = await session.consume("out", prefetch=1)
        deliveries = await take(consumer, 1)
        delayed = session.publish("", Message(key="out.retry", body=b"delayed"))
        await delayed
        await pragma(session, "query_only = 1")
        with pytest.raises(SessionLost, match="readonly"):
            await consumer.ack(deliveries)
        assert "readonly" in await session.lost()
        with pytest.raises(BrokerError):
            await watching.purge("out.dead")
        assert await watching.depth("out.dead") == 1
        async with asyncio.timeout(20):
            while BROKER_STORE_FAILED.count() == before:
                await asyncio.sleep(0.01)
        await pragma(session, "query_only = 0")
        deliveries = await take(await watching.consume("out", prefetch=9), 2)
        assert bodies(deliveries) == [b"kept", b"delayed"]
        assert deliveries[0].redelivered


def test_entries_go_back_to_their_places() -> None:
    class Holder:
        def __init__(self, room: int) -> None:
            self.room = room
            self.entries: list[ReadyMessage] = []

        def lose(self, reason: str) -> None:
            raise AssertionError(reason)

        @property
        def free(self) -> bool:
            return len(self.entries) < self.room

        def take(self, entry: ReadyMessage) -> None:
            self.entries.append(entry)

    line = Line(single=False)
    first, second = Holder(3), Holder(3)
    line.join(first)
    line.join(second)
    for place in range(1, 9):
        line.add(ReadyMessage(place, 1))
    assert ([entry.place for entry in first.entries], [entry.place for entry in second.entries]) in (
        ([1, 3, 5], [2, 4, 6]),
        ([2, 4, 6], [1, 3, 5]),
    )
    line.leave(first)
    line.give_back(first.entries)
    line.leave(second)
    line.give_back(second.entries)
    assert [entry.place for entry in line.clear()] == [1, 2, 3, 4, 5, 6, 7, 8]
