"""Workers: the parts that they make are those that are made here, and losing one loses nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from corpus import pool
from shipping import FaultyBroker, Reader, add, contents, lines, records, shipping

from logrouter.observability.events import WORKER_LOST
from logrouter.wire.batch import Part
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input
from shippers.parse.multiline import Joining
from shippers.pipeline import Pipeline
from shippers.worker import frame
from shippers.workers import Workers

PROGRAM = Path(sys.executable).with_name("logrouter")


def workers_of(of: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return [int(pid) for pid in found if b"shippers.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    """Whether it has not ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_what_a_worker_makes_is_what_is_made_here() -> None:
    app, other = Input("app", ("/a",), "h"), Input("", ("/b",), "h", severity="notice")
    bodies = [b"".join(pool()[begin : begin + 300]) for begin in range(0, 3000, 300)]
    windows = [Window("s", 0, 0, len(body), body) for body in bodies]
    async with Workers(2, [app, other]) as workers:
        for settings in (app, other):
            made = await asyncio.gather(*(workers.parts(window, settings) for window in windows))
            assert [_untimed(each) for each in made] == [_untimed(parts(each, settings, 0.0)) for each in windows]


def _untimed(made: Sequence[Part]) -> list[tuple[tuple[str, ...], list[tuple[str, int, int, str]]]]:
    """Without what depends on when it was read."""
    return [
        (part.keys, [(each.message, each.pos, each.end, each.severity_from) for each in records([part])])
        for part in made
    ]


async def test_what_a_killed_worker_had_in_hand_is_made_here(tmp_path: Path) -> None:
    broker, log = FaultyBroker(), tmp_path / "app.log"
    add(log, lines(0, 400_000))
    said = WORKER_LOST.count()
    async with shipping(broker, [Input("app", (str(log),))], tmp_path / "state", workers=2) as agent:
        while not broker.published:
            await asyncio.sleep(0.001)
        for pid in workers_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        assert await agent.drain() == []
    assert contents(broker.parts) == [log.read_bytes()]
    assert WORKER_LOST.count() == said + 2


@pytest.mark.parametrize("joining", [None, Joining()])
async def test_the_order_of_each_source_is_kept(tmp_path: Path, joining: Joining | None) -> None:
    broker = FaultyBroker()
    logs = [tmp_path / f"{number}.log" for number in range(5)]
    for number, log in enumerate(logs):
        add(log, lines(number * 100_000, number * 100_000 + 50_000))
    follow = [Input("app" if joining is None else "", (f"{tmp_path}/*.log",), joining=joining)]
    async with shipping(broker, follow, tmp_path / "state", workers=2) as agent:
        assert await agent.drain() == []
    reached: dict[str, int] = {}
    for part in broker.parts:
        assert part.from_ == reached.get(part.source, 0) or part.part
        reached[part.source] = part.to
    assert sorted(contents(broker.parts)) == [log.read_bytes() for log in logs]


async def test_workers_end_with_a_shipper_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    add(log, lines(0, 10))
    command = [PROGRAM, "up", "--workers", "1", "--state", tmp_path / "state", "--file", f"app={log}"]
    shipper = await asyncio.create_subprocess_exec(*map(str, command), stderr=asyncio.subprocess.PIPE)
    while not (found := workers_of(shipper.pid)):
        await asyncio.sleep(0.01)
    shipper.kill()
    await shipper.wait()
    while any(map(is_alive, found)):
        await asyncio.sleep(0.01)


def test_a_worker_ends_in_silence_wherever_its_shipper_is_killed() -> None:
    settings = Input("app", ("/a",), "h")
    body = lines(0, 10)
    first, job = frame([settings]), frame((Window("s", 0, 0, len(body), body), 0, 0.0))
    for sent in (b"", first[:2], first[:-1], first, first + job[:2], first + job[:-1]):
        worker = [sys.executable, "-m", "shippers.worker"]
        ended = subprocess.run(worker, input=sent, capture_output=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b""), len(sent)


class HeldBack:
    """Workers that make parts when told to, and a publisher that notes what it is given."""

    count = 2
    has_room = True

    def __init__(self) -> None:
        self.made: list[asyncio.Future[tuple[Part, ...]]] = []
        self.published: list[tuple[int, int]] = []

    async def parts(self, window: Window, settings: Input) -> tuple[Part, ...]:
        future: asyncio.Future[tuple[Part, ...]] = asyncio.get_running_loop().create_future()
        self.made.append(future)
        await future
        return parts(window, settings, 0.0)

    def publish(self, source: object, made: Sequence[Part], counted_as: str) -> None:
        self.published.append((made[0].from_, made[0].to))

    async def settle(self) -> None:
        for future in self.made:
            if not future.done():
                future.set_result(())
        for _ in range(5):
            await asyncio.sleep(0)


async def test_what_was_being_made_when_its_source_went_back_is_not_published(tmp_path: Path) -> None:
    reader, held = Reader(tmp_path), HeldBack()
    making = Pipeline(held, held, asyncio.Event())  # type: ignore[arg-type]  # it stands for both
    add(reader.log, lines(0, 40_000))
    reader.scan()
    (generation,) = reader.files

    async def read_two() -> list[tuple[int, int]]:
        windows = [reader.files.read(generation, reader.now) for _ in range(2)]
        for window in windows:
            assert window is not None
            making.take(generation, window)
        await asyncio.sleep(0)
        return [(window.from_, window.to) for window in windows if window is not None]

    first = await read_two()
    assert generation.rewind(0.0)
    await held.settle()
    assert held.published == []
    assert await read_two() == first
    await held.settle()
    assert held.published == first
