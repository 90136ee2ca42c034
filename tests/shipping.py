"""The other end of a shipper in tests: a router that keeps what it is given, and a broker with faults on demand."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from logrouter.broker.contract import EXCHANGE, Broker, Queue, QueueKind
from logrouter.errors import SessionLost, Unroutable
from logrouter.wire import probe, statement
from logrouter.wire.batch import Part, from_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record, decode_lines, original
from shippers.agent import Agent
from shippers.encode.lines import Window
from shippers.encode.windows import all_parts
from shippers.files.checkpoint import Checkpoints
from shippers.files.discovery import Directories, discover
from shippers.files.follow import Files
from shippers.files.watches import Watches
from shippers.input import Input

WORKERS = ContextVar("workers", default=0)
"""How many an agent has whose test does not say."""


@contextlib.asynccontextmanager
async def routing(broker: Broker, instance: str = "main", pattern: str = "#") -> AsyncIterator[list[Part]]:
    """A router on `broker`: the parts that came, each acknowledged."""
    taken: list[Part] = []
    queue = Queue(f"logrouter.{instance}", QueueKind.INGRESS)
    async with broker.session() as session:
        await session.declare_exchange(EXCHANGE)
        await session.declare_queue(queue)
        await session.bind(queue.name, EXCHANGE, pattern)
        await session.declare_exchange(statement.EXCHANGE)
        await session.bind(queue.name, statement.EXCHANGE, probe.key(instance))
        consumer = await session.consume(queue.name, prefetch=512)

        async def take() -> None:
            async for delivery in consumer:
                if not probe.is_probe(delivery.message):
                    taken.append(from_message(delivery.message))
                await consumer.ack([delivery])

        taking = asyncio.create_task(take())
        yield taken
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await taking


async def arrived(parts: Sequence[Part], count: int) -> None:
    """Wait until a router has been given so many records, repeated ones included."""
    while sum(part.count for part in parts) < count:
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def shipping(broker: Broker, inputs: Sequence[Input], state: Path, **settings: Any) -> AsyncIterator[Agent]:
    """An agent that runs; told to stop at the end."""
    settings.setdefault("workers", WORKERS.get())
    agent, stop = Agent(broker, inputs, state, host="web-1", **settings), asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    try:
        yield agent
    finally:
        stop.set()
        await running


def records(given: Iterable[Part]) -> list[Record]:
    """The records of parts, once each, by source and position."""
    once = {(record.source, record.pos): record for part in given for record in decode_lines(part.body)}
    return [once[place] for place in sorted(once)]


def contents(given: Iterable[Part]) -> list[bytes]:
    """What each source held, rebuilt from the records, after checking that nothing is missing between them."""
    given = list(given)
    sources: dict[str, list[Record]] = {}
    for record in records(given):
        sources.setdefault(record.source, []).append(record)
    starts = {part.source: part.start for part in given}
    for source, its in sources.items():
        assert [record.pos for record in its] == [starts[source], *(record.end for record in its[:-1])]
    return [b"".join(bytes(record.nuls) + original(record) for record in its) for its in sources.values()]


class Reader:
    """A shipper without a broker, with time by hand: each `turn` is a scan, a save, and laps until nothing is left.

    It follows `glob` in the directory `logs`, with an Input's further `settings`, or the `inputs` that it is given.
    """

    def __init__(
        self,
        directory: Path,
        *inputs: Input,
        glob: str = "*.log",
        watches: Watches | None = None,
        most_open: int = sys.maxsize,
        **settings: Any,
    ) -> None:
        self.watches = watches
        self.most_open = most_open
        self.state = directory / "state"
        self.logs = directory / "logs"
        self.log = self.logs / "app.log"
        self.logs.mkdir(exist_ok=True)
        self.inputs = inputs or (Input("app", (f"{self.logs}/{glob}",), "h", **settings),)
        self.windows: list[tuple[Window, Input]] = []
        self.now = 1000.0
        self.start()

    def start(self) -> None:
        self.directories = Directories()
        self.checkpoints = Checkpoints(self.state, "machine")
        self.files = Files(self.inputs, self.checkpoints, settling=0.0, watches=self.watches, most_open=self.most_open)

    def stop(self, *, save: bool = True) -> None:
        """End it; without a save it is as if killed after the last one."""
        if save:
            self.checkpoints.save(self.files.state())
        self.files.close()
        self.checkpoints.close()

    def turn(self, seconds: float = 1.0, *, confirm: bool = True) -> list[Window]:
        """What is read in the next `seconds`; a second scan where the first one asks for it."""
        self.now += seconds
        self.files.scan_due = math.inf
        self.scan()
        if self.files.scan_due <= self.now:
            self.scan()
        before = len(self.windows)
        while self.lap(confirm=confirm):
            pass
        return [window for window, _ in self.windows[before:]]

    def scan(self) -> None:
        self.files.apply(discover(self.inputs, [str(self.state)], self.directories, self.files.followed), self.now)
        unsaved = list(self.files.unsaved)
        self.checkpoints.save(self.files.state())
        self.files.saved(unsaved)

    def lap(self, *, confirm: bool = True) -> int:
        """One turn for each file; how many had something to do."""
        busy = 0
        for _ in range(len(self.files.turns)):
            generation = self.files.turns.next(self.now)
            if generation is None:
                break
            window = self.files.read(generation, self.now)
            busy += generation.due <= self.now
            if window is not None:
                settings = generation.origin.settings
                self.windows.append((window, settings))
                if confirm:
                    generation.confirm(self.count(window, settings))
        return busy

    def count(self, window: Window, settings: Input) -> int:
        """How many records a window comes to."""
        return sum(part.count for part in all_parts(window, settings, 0.0))

    @property
    def contents(self) -> list[bytes]:
        return contents(part for window, settings in self.windows for part in all_parts(window, settings, 0.0))

    @property
    def open_files(self) -> list[str]:
        return [str(Path(f"/proc/self/fd/{each.reader.fd}").readlink()) for each in self.files]


def add(path: Path, content: bytes) -> None:
    """Append to a file."""
    with path.open("ab") as file:
        file.write(content)


def lines(first: int, last: int) -> bytes:
    """Numbered lines of twelve bytes."""
    return b"".join(b"line %06d\n" % number for number in range(first, last))


class FaultyBroker:
    """A broker in memory whose answers a test decides, message by message."""

    name = "a faulty broker"

    def __init__(self, answer: Callable[[Message], Exception | Awaitable[None] | None] = lambda _: None) -> None:
        self.answer = answer
        self.published: list[Message] = []
        self.statements: list[statement.Statement] = []
        self.routers = {"main"}
        self.sessions = 0
        self._lost: asyncio.Future[str] | None = None

    @property
    def parts(self) -> list[Part]:
        return [from_message(message) for message in self.published]

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        self.sessions += 1
        self._lost = asyncio.get_running_loop().create_future()
        yield self
        self.lose("closed")

    def lose(self, reason: str) -> None:
        assert self._lost is not None
        if not self._lost.done():
            self._lost.set_result(reason)

    async def lost(self) -> str:
        assert self._lost is not None
        return await asyncio.shield(self._lost)

    def publish(
        self, exchange: str, message: Message, *, mandatory: bool = True, apart: bool = False
    ) -> Awaitable[None]:
        if exchange == statement.EXCHANGE:
            assert apart
            if message.type == probe.TYPE:
                return self._probed(message.key)
            self.statements.append(statement.from_message(message))
            return asyncio.sleep(0)
        assert exchange == EXCHANGE
        assert mandatory
        assert self._lost is not None
        self.published.append(message)
        answer = SessionLost("gone") if self._lost.done() else self.answer(message)
        if answer is not None and not isinstance(answer, Exception):
            return answer
        promise = asyncio.get_running_loop().create_future()
        if answer is None:
            promise.set_result(None)
        else:
            promise.set_exception(answer)
        return promise

    async def _probed(self, key: str) -> None:
        if key not in map(probe.key, self.routers):
            raise Unroutable(key)
