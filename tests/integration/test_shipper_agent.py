"""Files on disk -> a router's acknowledgements, with the real agent and the embedded engine."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shipping import FaultyBroker, add, arrived, contents, lines, routing, shipping

from logrouter.broker.contract import Broker
from logrouter.broker.embedded import EmbeddedBroker
from logrouter.errors import StateError
from logrouter.observability.events import STATE_SAVED, STATE_UNSAVED
from logrouter.wire.ranges import Ranges
from shippers.agent import Agent
from shippers.files.checkpoint import Checkpoints
from shippers.files.generation import TICK
from shippers.input import Input

SHIP_FOREVER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from shippers.agent import Agent
from shippers.input import Input
from shipping import FaultyBroker

async def main(directory):
    def take(message):
        place = [message.headers[f"x-logrouter-{name}"] for name in ("source", "start", "from", "to")]
        with (directory / "taken").open("a") as taken:
            print(*place, file=taken)
    inputs = [Input("app", (f"{directory}/*.log",))]
    await Agent(FaultyBroker(take), inputs, directory / "state", host="h").run(asyncio.Event())

asyncio.run(main(Path(sys.argv[1])))
"""


def inputs(tmp_path: Path, glob: str = "*.log") -> list[Input]:
    return [Input("app", (f"{tmp_path}/{glob}",))]


async def test_lines_reach_the_router_as_they_are_written(
    broker: Broker, fresh: Callable[[str], str], tmp_path: Path
) -> None:
    service, instance, log = fresh("app").replace(".", "-"), fresh("main"), tmp_path / "app.log"
    follow = [Input(service, (str(log),))]
    add(log, lines(0, 10))
    async with (
        shipping(broker, follow, tmp_path / "shipper", instances=[instance]) as agent,
        routing(broker, instance, f"{service}.#") as parts,
    ):
        assert await agent.drain() == []
        await arrived(parts, 10)
        assert contents(parts) == [lines(0, 10)]
        add(log, b"".join(b"%06d ERROR\n%06d\n" % (number, number) for number in range(20_000)))
        assert await agent.drain() == []
        add(log, b"the end\n")
        await arrived(parts, 40_011)
    assert contents(parts) == [log.read_bytes()]
    assert sum(part.count for part in parts) == 40_011


async def test_what_was_under_way_when_the_router_went_comes_again(tmp_path: Path) -> None:
    broker, log = EmbeddedBroker(tmp_path / "broker"), tmp_path / "app.log"
    add(log, lines(0, 100_000))
    async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
        async with routing(broker) as first:
            while not first:
                await asyncio.sleep(0)
        add(log, lines(100_000, 100_010))
        async with routing(broker) as second:
            assert await agent.drain() == []
    assert contents([*first, *second]) == [log.read_bytes()]


@pytest.mark.parametrize("glob", ["app.log", "app.log*"])
async def test_rapid_rotation_under_a_writer_that_keeps_its_handle(tmp_path: Path, glob: str) -> None:
    broker = EmbeddedBroker(tmp_path / "broker")
    log = tmp_path / "app.log"

    async def write() -> None:
        for generation in range(20):
            with log.open("ab", buffering=0) as writer:
                for batch in range(10):
                    first = generation * 1000 + batch * 100
                    writer.write(lines(first, first + 100))
                    await asyncio.sleep(0.001)
                rotate(log)
                writer.write(b"its last words %d\n" % generation)

    async with routing(broker) as parts, shipping(broker, inputs(tmp_path, glob), tmp_path / "state") as agent:
        await asyncio.gather(write(), agent.drain())
        assert await agent.drain() == []
    expected = [
        lines(first, first + 1000) + b"its last words %d\n" % (first // 1000) for first in range(0, 20_000, 1000)
    ]
    assert sorted(contents(parts)) == expected


def rotate(log: Path) -> None:
    numbers = [int(path.suffix[1:]) for path in log.parent.glob("app.log.*")]
    for number in sorted(numbers, reverse=True):
        log.with_name(f"app.log.{number}").rename(log.with_name(f"app.log.{number + 1}"))
    log.rename(log.with_name("app.log.1"))


async def test_after_kill_9_the_same_source_goes_on_and_leaves_no_gap(tmp_path: Path) -> None:
    log, taken = tmp_path / "app.log", tmp_path / "taken"
    taken.touch()
    here = Path(__file__).parents[1]
    extents = Ranges()
    for number in range(4):
        add(log, lines(number * 1000, number * 1000 + 1000))
        command = (sys.executable, "-c", SHIP_FOREVER, str(tmp_path), str(here.parent), str(here))
        shipper = await asyncio.create_subprocess_exec(*command)
        try:
            while extents.end < log.stat().st_size:
                assert shipper.returncode is None
                await asyncio.sleep(TICK)
                places = [line.split() for line in taken.read_text().splitlines()]
                extents = Ranges((int(begin), int(end)) for _, _, begin, end in places)
        finally:
            shipper.kill()  # as a rule before the half second in which it saves what is confirmed
            await shipper.wait()
    assert list(extents) == [(0, log.stat().st_size)]
    assert {(source, start) for source, start, _, _ in places} == {(places[0][0], "0")}


async def test_an_older_positions_file_gives_the_same_extents_again(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker")
    log, saved = tmp_path / "app.log", tmp_path / "state" / "positions.json"
    async with routing(broker) as parts:
        async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
            add(log, lines(0, 10))
            assert await agent.drain() == []
        older = saved.read_bytes()
        async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
            add(log, lines(10, 20))
            assert await agent.drain() == []
        saved.write_bytes(older)
        async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
            add(log, lines(20, 30))
            assert await agent.drain() == []
    assert contents(parts) == [lines(0, 30)]
    assert [(part.from_, part.to) for part in parts] == [(0, 120), (120, 240), (120, 360)]


async def test_a_state_directory_in_use_is_refused(tmp_path: Path) -> None:
    positions = Checkpoints(tmp_path / "state")
    agent = Agent(FaultyBroker(), inputs(tmp_path), tmp_path / "state", host="h")
    with pytest.raises(StateError, match=f"held by process {os.getpid()}"):
        await agent.run(asyncio.Event())
    positions.close()


async def test_nothing_is_published_while_its_identity_cannot_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path / "app.log", lines(0, 10))
    said = STATE_UNSAVED.count(), STATE_SAVED.count()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    broker = FaultyBroker()
    monkeypatch.setattr("shippers.files.autosave._RETRY", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", full)
        async with shipping(broker, inputs(tmp_path), tmp_path / "state") as agent:
            draining = asyncio.create_task(agent.drain())
            while STATE_UNSAVED.count() == said[0]:
                await asyncio.sleep(TICK)
            await asyncio.sleep(4 * TICK)  # time enough to publish all the same
            assert broker.published == []
            patch.undo()
            assert await draining == []
    assert (STATE_UNSAVED.count(), STATE_SAVED.count()) == (said[0] + 1, said[1] + 1)
    assert contents(broker.parts) == [lines(0, 10)]


async def test_it_does_not_follow_its_own_state_nor_what_is_excluded(tmp_path: Path) -> None:
    broker = FaultyBroker()
    (tmp_path / "archive").mkdir()
    add(tmp_path / "archive" / "app.log", lines(0, 10))
    add(tmp_path / "app.log", lines(10, 20))
    everything = [Input("all", (f"{tmp_path}/**",))]
    async with shipping(broker, everything, tmp_path / "state", excluded=[tmp_path / "archive"]) as agent:
        assert await agent.drain() == []
        assert await agent.drain() == []
    assert contents(broker.parts) == [lines(10, 20)]


def test_the_shipper_loads_nothing_of_the_router() -> None:
    heavy = ("jinja2", "aiohttp", "aiosmtplib", "pydantic", "yaml", "rich", "aio_pika", "sqlite3")
    code = "import sys, shippers.agent; print(*sys.modules)"
    root = Path(__file__).parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    modules = set(loaded.split())
    assert not modules & set(heavy)
    ours = {name.split(".")[1] for name in modules if name.startswith("logrouter.")}
    assert not ours & {"router", "destinations", "rules", "ledger", "web", "cli", "slices"}
