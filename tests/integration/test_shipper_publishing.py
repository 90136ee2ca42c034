"""Windows on their way: positions only past what the broker has, and every failure answered by reading again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest
from shipping import WORKERS, FaultyBroker, add, contents, lines, records, shipping

from logrouter.errors import PublishRefused, Unroutable
from logrouter.observability.events import (
    BROKER_FOUND,
    BROKER_LOST,
    PUBLISH_REFUSED,
    PUBLISH_TAKEN,
    ROUTER_ABSENT,
    ROUTER_HERE,
)
from logrouter.observability.metrics import SHIPPED
from logrouter.wire.batch import from_message
from logrouter.wire.message import Message
from shippers.agent import Agent
from shippers.files.generation import TICK
from shippers.input import Input
from shippers.publisher import IN_FLIGHT


@pytest.fixture(params=[0, 2], autouse=True, ids=["alone", "workers"])
def workers(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this with and without workers."""
    before = WORKERS.set(request.param)
    yield
    WORKERS.reset(before)


def inputs(tmp_path: Path) -> list[Input]:
    return [Input("app", (f"{tmp_path}/*.log",))]


def big(first: int, last: int) -> bytes:
    """Lines of 1,000 bytes, so that a window holds 262 of them."""
    return b"".join(b"%0999d\n" % number for number in range(first, last))


@pytest.mark.parametrize("fault", [PublishRefused("full"), Unroutable("no queue")], ids=["nack", "unroutable"])
async def test_a_refused_window_and_all_after_it_are_read_again(tmp_path: Path, fault: Exception) -> None:
    add(tmp_path / "app.log", big(0, 1500))
    refusals = deque([None, fault, None, fault])
    said = PUBLISH_REFUSED.count(), PUBLISH_TAKEN.count()
    shipped = SHIPPED.labels("app")._value.get()
    broker = FaultyBroker(lambda _: refusals.popleft() if refusals else None)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        assert await agent.drain() == []
        (progress,) = agent.progress()
    assert contents(broker.parts) == [big(0, 1500)]
    froms = [part.from_ for part in broker.parts]
    second = broker.parts[1].from_
    assert froms.count(second) >= 2
    assert froms.count(0) == 1
    refused, taken = PUBLISH_REFUSED.count() - said[0], PUBLISH_TAKEN.count() - said[1]
    assert 1 <= refused == taken <= 2, "once, or twice where the first was over before the second"
    assert (progress.lines_read, progress.lines_confirmed, progress.bytes_behind) == (1500, 1500, 0)
    assert SHIPPED.labels("app")._value.get() == shipped + 1500


async def test_a_late_answer_to_what_was_given_up_changes_nothing(tmp_path: Path) -> None:
    add(tmp_path / "app.log", big(0, 700))
    answers: list[asyncio.Future[None]] = []

    def answer(_: Message) -> Awaitable[None]:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    broker = FaultyBroker(answer)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while len(answers) < 3:
            await asyncio.sleep(0)
        answers[0].set_exception(PublishRefused("full"))
        while len(answers) < 6:
            await asyncio.sleep(0)
        answers[1].set_exception(PublishRefused("full"))
        answers[2].set_result(None)
        for each in answers[3:]:
            each.set_result(None)
        assert await draining == []
    assert len(answers) == 6


async def test_a_refused_window_before_half_a_line_is_read_again(tmp_path: Path) -> None:
    add(tmp_path / "app.log", lines(0, 10) + b"half")
    taking = asyncio.Event()
    broker = FaultyBroker(lambda _: None if taking.is_set() else PublishRefused("full"))
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while len(broker.published) < 2:
            await asyncio.sleep(0)
        taking.set()
        assert await draining == [f"{tmp_path}/app.log: last line without newline, 4 bytes"]
    assert contents(broker.parts) == [lines(0, 10)]


async def test_when_it_stops_it_waits_for_what_is_under_way(tmp_path: Path) -> None:
    add(tmp_path / "app.log", lines(0, 10))
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    broker = FaultyBroker(lambda _: answer)
    agent, stop = Agent(broker, inputs(tmp_path), tmp_path / "state", host="h"), asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    while not broker.published:
        await asyncio.sleep(0)
    stop.set()
    await asyncio.sleep(4 * TICK)
    assert not running.done()
    answer.set_result(None)
    await running
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        assert await agent.drain() == []
    assert len(broker.published) == 1


async def test_a_refused_file_does_not_hold_up_the_others(tmp_path: Path) -> None:
    add(tmp_path / "bad.log", b"bad\n")
    add(tmp_path / "good.log", lines(0, 10))
    taken = asyncio.Event()

    def answer(message: Message) -> Exception | None:
        if b"bad" in message.body:
            return None if taken.is_set() else PublishRefused("not this one")
        return None

    broker = FaultyBroker(answer)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while not any(b"line" in message.body for message in broker.published):
            await asyncio.sleep(0)
        add(tmp_path / "good.log", lines(10, 20))
        while not any(b"line 000019" in message.body for message in broker.published):
            await asyncio.sleep(0)
        assert not draining.done()
        taken.set()
        assert await draining == []


async def test_a_lost_session_has_all_that_was_not_confirmed_read_again(tmp_path: Path) -> None:
    add(tmp_path / "a.log", big(0, 600))
    add(tmp_path / "b.log", big(600, 1200))
    said = BROKER_LOST.count(), BROKER_FOUND.count()
    unanswered = list[asyncio.Future[None]]()

    def answer(message: Message) -> Awaitable[None] | None:
        if broker.sessions > 1 or from_message(message).from_ == 0:
            return None
        unanswered.append(asyncio.get_running_loop().create_future())
        return unanswered[-1]

    broker = FaultyBroker(answer)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while len(unanswered) < 4:
            await asyncio.sleep(0)
        before = len(broker.published)
        broker.lose("pulled the plug")
        assert await draining == []
    again = [from_message(message) for message in broker.published[before:]]
    assert sorted(contents(broker.parts)) == sorted([big(0, 600), big(600, 1200)])
    assert min(part.from_ for part in again) > 0
    assert (BROKER_LOST.count(), BROKER_FOUND.count()) == (said[0] + 1, said[1] + 1)
    assert broker.sessions == 2


async def test_positions_advance_in_order_only(tmp_path: Path) -> None:
    add(tmp_path / "app.log", big(0, 1000))
    answers: dict[int, asyncio.Future[None]] = {}

    def answer(message: Message) -> Awaitable[None]:
        answers[from_message(message).from_] = asyncio.get_running_loop().create_future()
        return answers[from_message(message).from_]

    broker = FaultyBroker(answer)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while len(answers) < 4:
            await asyncio.sleep(0)
        first, *later = [answers[position] for position in sorted(answers)]
        for each in later:
            each.set_result(None)
        for _ in range(20):
            await asyncio.sleep(0)
        assert agent.progress()[0].lines_confirmed == 0
        first.set_result(None)
        assert await draining == []
        assert agent.progress()[0].lines_confirmed == 1000


async def test_a_window_is_confirmed_with_the_last_of_its_parts(tmp_path: Path) -> None:
    add(tmp_path / "app.log", b"ERROR a\nINFO b\nWARN c\n")
    answers: list[asyncio.Future[None]] = []

    def answer(_: Message) -> Awaitable[None]:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    broker = FaultyBroker(answer)
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while len(answers) < 3:
            await asyncio.sleep(0)
        assert [part.part for part in broker.parts] == [0, 1, 2]
        for each in answers[:2]:
            each.set_result(None)
        for _ in range(20):
            await asyncio.sleep(0)
        assert agent.progress()[0].lines_confirmed == 0
        answers[2].set_result(None)
        assert await draining == []


async def test_no_more_is_under_way_than_the_bound_and_one_window(tmp_path: Path) -> None:
    add(tmp_path / "app.log", big(0, 20_000))
    held: list[asyncio.Future[None]] = []
    release = False

    def answer(_: Message) -> Awaitable[None] | None:
        if release:
            return None
        held.append(asyncio.get_running_loop().create_future())
        return held[-1]

    broker = FaultyBroker(answer)
    # Workers have some windows more in hand.
    async with shipping(broker, inputs(tmp_path), tmp_path / "state", workers=0) as agent:
        draining = asyncio.create_task(agent.drain())
        while (under_way := sum(len(message.body) for message in broker.published)) < IN_FLIGHT:
            await asyncio.sleep(0)
        await asyncio.sleep(4 * TICK)  # time enough to go too far
        assert under_way == sum(len(message.body) for message in broker.published)
        assert under_way < IN_FLIGHT + len(broker.published[-1].body)
        release = True
        for each in held:
            each.set_result(None)
        assert await draining == []
    assert contents(broker.parts) == [big(0, 20_000)]


async def test_nothing_is_published_before_each_router_has_been_there(tmp_path: Path) -> None:
    add(tmp_path / "app.log", lines(0, 10))
    broker = FaultyBroker()
    broker.routers.clear()
    said = ROUTER_ABSENT.count(), ROUTER_HERE.count()
    settings = {"instances": ("main", "second")}
    async with shipping(broker, inputs(tmp_path), tmp_path / "state", **settings) as agent:
        for instance in ("main", "second"):
            while ROUTER_ABSENT.count() == said[0]:
                await asyncio.sleep(0.01)
            assert broker.published == []
            broker.routers.add(instance)
            said = ROUTER_ABSENT.count(), said[1]
        assert await agent.drain() == []
    assert ROUTER_HERE.count() == said[1] + 2
    assert contents(broker.parts) == [lines(0, 10)]


async def test_it_stops_though_the_broker_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shippers.agent._STOP_SECONDS", 0.05)
    add(tmp_path / "app.log", lines(0, 10))
    broker = FaultyBroker(lambda _: asyncio.get_running_loop().create_future())
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        while not broker.published:
            await asyncio.sleep(0)
    assert await draining == [f"{tmp_path}/app.log: not confirmed, 120 bytes"]
    first = broker.parts[0]
    broker.answer = lambda _: None
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        assert await agent.drain() == []
    again = broker.parts[-1]
    assert (again.source, again.from_, again.to) == (first.source, first.from_, first.to)


async def test_it_stops_while_a_router_or_the_broker_is_awaited(tmp_path: Path) -> None:
    broker = FaultyBroker()
    broker.routers.clear()
    said = ROUTER_HERE.count()
    async with shipping(broker, inputs(tmp_path), tmp_path / "state"):
        while not broker.sessions:
            await asyncio.sleep(0)
    assert ROUTER_HERE.count() == said


async def test_a_mistake_of_ours_ends_the_agent_and_is_not_swallowed(tmp_path: Path) -> None:
    add(tmp_path / "app.log", lines(0, 10))
    broker = FaultyBroker(lambda _: ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await Agent(broker, inputs(tmp_path), tmp_path / "state", host="h").run(asyncio.Event())


async def test_what_is_confirmed_is_not_read_again_after_a_restart(tmp_path: Path) -> None:
    broker = FaultyBroker()
    for number in range(3):
        add(tmp_path / "app.log", lines(number * 10, number * 10 + 10))
        async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
            assert await agent.drain() == []
    assert contents(broker.parts) == [lines(0, 30)]
    assert sum(part.count for part in broker.parts) == 30


async def test_drain_names_what_remains(tmp_path: Path) -> None:
    add(tmp_path / "app.log", b"whole\nhalf a line")
    (tmp_path / "loop.log").symlink_to(tmp_path / "loop.log")
    async with shipping(FaultyBroker(), inputs(tmp_path), tmp_path / "state") as agent:
        remains = await agent.drain()
    assert remains == [
        f"{tmp_path}/loop.log: cannot be read",
        f"{tmp_path}/app.log: last line without newline, 11 bytes",
    ]


async def test_records_say_host_service_and_where_they_stood(tmp_path: Path) -> None:
    add(tmp_path / "app.log", b"one\ntwo\n")
    broker = FaultyBroker()
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        await agent.drain()
    assert [(record.service, record.host, record.pos, record.end) for record in records(broker.parts)] == [
        ("app", "web-1", 0, 4),
        ("app", "web-1", 4, 8),
    ]
    assert broker.published[0].key == "app.web-1.info"
