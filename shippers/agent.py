"""The shipper as it lives: finds files, reads them in turn, publishes their windows, and saves how far it came.

In come inputs, a broker and a state directory; out go confirmed messages on the exchange, for as long as it runs and
across every loss of the broker. Files are watched and held open even while the broker is out of reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from logrouter.broker.contract import Broker, Session
from logrouter.errors import BrokerError, Forbidden
from logrouter.observability.conditions import Condition
from logrouter.observability.events import (
    BROKER_FOUND,
    BROKER_LOST,
    PUBLISH_REFUSED,
    PUBLISH_TAKEN,
    RESENDING_ALLOWED,
    RESENDING_FORBIDDEN,
    ROUTER_ABSENT,
    ROUTER_HERE,
    STATEMENT_REFUSED,
    STATEMENT_TAKEN,
)
from logrouter.support.aio import raise_first, wait
from logrouter.support.backoff import Backoff
from shippers.drain import drained, until
from shippers.files.autosave import Autosave
from shippers.files.budget import most_open
from shippers.files.checkpoint import Checkpoints
from shippers.files.fingerprint import shown
from shippers.files.follow import GRACE, Files
from shippers.files.generation import TICK
from shippers.files.scan_loop import Rounds
from shippers.files.watches import Watches
from shippers.input import Input
from shippers.lease import Lease
from shippers.pipeline import Making
from shippers.publisher import IN_FLIGHT, Publisher
from shippers.readiness import has_been_here
from shippers.retransmission import Retransmission
from shippers.spool.spools import Spools
from shippers.statements import ShipperReporter, Statements, config_hash
from shippers.workers import Workers

_REST_SECONDS = 1.0
"""While no file is awake; when one is woken this ends at once."""

_STOP_SECONDS = 10.0
"""For the confirms of what is under way when it is told to stop."""

_BACKOFF = Backoff(0.2, 15.0)
"""For a broker that is out of reach."""

_ROUTER_BACKOFF = Backoff(0.02, 15.0)
"""For a router that has not been here: one in the same process is there in a moment."""

_DESCRIPTORS_OF_WORKER = 4

_ABSENT_SECONDS = 1.0
"""A router that starts at the same time is not missed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an input is. service: its name.   bytes_behind: not safe yet.

    lines_read: in windows, of which lines_confirmed are safe.
    """

    service: str
    files: int
    lines_read: int
    lines_confirmed: int
    bytes_behind: int


class Agent:
    """Ships what `inputs` match to `broker`; `state` is this agent's own directory.

    host: of inputs that name none.             instances: routers that must have been on the broker.
    excluded: directories whose files are never followed (the state directory is one of itself).
    grace: seconds for which a renamed or deleted file is still followed after it last grew.
    workers: processes that make parts of windows beside this one.
    in_flight: bytes published and not confirmed at most; a broker that confirms late needs more.
    """

    def __init__(
        self,
        broker: Broker,
        inputs: Sequence[Input],
        state: Path,
        *,
        host: str,
        instances: Sequence[str] = ("main",),
        excluded: Sequence[Path] = (),
        grace: float = GRACE,
        workers: int = 0,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._broker = broker
        self._inputs = [replace(each, host=each.host or host) for each in inputs if each.feed is None]
        self._spooled = [each for each in dict.fromkeys(inputs) if each.feed is not None]
        self._host = host
        self._state = state
        self._rounds = Rounds(self._inputs, [str(directory) for directory in (*excluded, state)])
        self._grace = grace
        self._in_flight = in_flight
        self._workers = Workers(workers, self._inputs) if workers else None
        self._files: Files | None = None
        self._spools: Spools | None = None
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        self._unreachable = Condition(BROKER_LOST, BROKER_FOUND)
        self._refused = Condition(PUBLISH_REFUSED, PUBLISH_TAKEN)
        self._unstated = Condition(STATEMENT_REFUSED, STATEMENT_TAKEN)
        self._unasked = Condition(RESENDING_FORBIDDEN, RESENDING_ALLOWED)
        self._absent = {instance: Condition(ROUTER_ABSENT, ROUTER_HERE) for instance in instances}

    async def run(self, stop: asyncio.Event) -> None:
        """Ship until `stop` is set, then wait a little for what is under way. Runs once.

        Raises StateError if the state directory is in use, or written by a newer version.
        """
        _allow_many_files()
        checkpoints = Checkpoints(self._state)
        try:
            spools = self._spools = Spools(self._state / "spool", self._spooled, self._host)
            watches = Watches.of_this_system()
            followed = [*self._inputs, *spools.inputs]
            most = most_open(_DESCRIPTORS_OF_WORKER * (self._workers.count if self._workers else 0))
            files = self._files = Files(followed, checkpoints, self._grace, watches=watches, most_open=most)
        except OSError:
            checkpoints.close()
            raise
        files.turns.on_wake = self._changed.set
        spools.turn(files, time.monotonic())
        files.forget_segments()
        autosave = Autosave(files, checkpoints)
        config = config_hash([*self._inputs, *self._spooled])
        self._reporter = ShipperReporter(checkpoints.reporter, self._host, config)
        self._lease = Lease(self._state)
        try:
            async with contextlib.AsyncExitStack() as stack:
                if self._workers is not None:
                    await stack.enter_async_context(self._workers)
                await self._work(files, spools, autosave, watches, stop)
        finally:
            spools.turn(files, time.monotonic())
            await self._lease.settle()
            await autosave.save()
            await self._rounds.close()
            files.close()
            watches.close()
            checkpoints.close()

    async def drain(self) -> list[str]:
        """Wait until all that the inputs hold now is confirmed; names what remains, and why.

        Standard input holds all that comes until it ends; a journal what it held when this process began.

        To be called while `run` runs; ends with it at the latest.
        """
        scan = self._rounds.begun + 1
        if self._files is not None:
            self._rounds.hasten(self._files)
        await until(lambda: self._rounds.done >= scan, self._over)
        if self._files is None or self._spools is None:
            return []
        left = await drained(self._files, self._spools, self._over)
        return [*left, *(f"{shown(glob)}: its directory does not answer" for glob in self._rounds.hanging)]

    def progress(self) -> list[Progress]:
        """How far each input is, in the order in which they were given."""
        if self._files is None or self._spools is None:
            return []
        progress = []
        for settings, tally in self._files.tallies.items():
            generations = [each for each in self._files if each.origin.settings == settings]
            behind = sum(each.reader.size - each.confirmed for each in generations if each.segment is None)
            behind += self._spools.behind(settings)
            progress.append(Progress(settings.name, len(generations), tally.lines_read, tally.lines_confirmed, behind))
        return progress

    async def _work(
        self, files: Files, spools: Spools, autosave: Autosave, watches: Watches, stop: asyncio.Event
    ) -> None:
        stopping = asyncio.create_task(stop.wait())
        feeding = asyncio.create_task(spools.feed())
        watching = asyncio.create_task(self._watch(files, spools, autosave, watches))
        shipping = asyncio.create_task(self._ship(files, stop))
        try:
            await asyncio.wait((stopping, feeding, watching, shipping), return_when=asyncio.FIRST_COMPLETED)
            feeding.cancel()
            self._changed.set()
            await asyncio.wait((shipping,), timeout=_STOP_SECONDS + 1 if stop.is_set() else 0)
        finally:
            self._over.set()
            self._rounds.stir()
            for task in (stopping, feeding, shipping):
                task.cancel()
            ends = await asyncio.gather(feeding, shipping, watching, return_exceptions=True)
            await spools.close()
        raise_first(ends)

    async def _watch(self, files: Files, spools: Spools, autosave: Autosave, watches: Watches) -> None:
        while not self._over.is_set():
            spools.turn(files, time.monotonic())
            await self._rounds.turn(files, watches)
            await autosave.save_if_due()
            await wait(self._over, TICK)
            if not (files.turns or spools.inputs):
                await self._rounds.rest(files, watches)

    async def _ship(self, files: Files, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                async with self._broker.session() as session:
                    self._unreachable.end(broker=self._broker.name)
                    await self._wait_for_routers(session, stop)
                    await self._publish(session, files, stop)
            except Forbidden as error:
                self._refused.begin(broker=self._broker.name, reason=f"{error}; {error.remedy}")
            except BrokerError as error:
                self._unreachable.begin(broker=self._broker.name, reason=error)
            worked = time.monotonic() - began > _BACKOFF.longest  # a session that only just began says nothing
            failures = 1 if worked else failures + 1
            await wait(stop, _BACKOFF.pause(failures))

    async def _wait_for_routers(self, session: Session, stop: asyncio.Event) -> None:
        """Hold until each router has been here: before that a message may go to listeners alone, and be lost."""
        for instance, absent in self._absent.items():
            looks, since = 0, time.monotonic()
            while not await has_been_here(session, instance, stop):
                if stop.is_set():
                    return
                if time.monotonic() - since >= _ABSENT_SECONDS:
                    absent.begin(instance=instance, broker=self._broker.name)
                looks += 1
                await wait(stop, _ROUTER_BACKOFF.pause(looks))
            absent.end(instance=instance, broker=self._broker.name)

    async def _publish(self, session: Session, files: Files, stop: asyncio.Event) -> None:
        await self._lease.begin()
        publisher = Publisher(
            session, self._broker.name, self._lease, self._changed, self._refused, limit=self._in_flight
        )
        making = Making(publisher, self._workers, self._changed)
        statements = Statements(session, files, self._reporter, self._lease, self._unstated)
        stating = asyncio.create_task(statements.keep(stop))
        retransmission = Retransmission(session, files, self._lease, statements, self._unasked)
        answering = asyncio.create_task(retransmission.answer())
        try:
            while not stop.is_set():
                making.check()
                self._changed.clear()
                if not await self._lap(making, files, stop):
                    await wait(self._changed, TICK if files.turns else _REST_SECONDS)
            await making.finish(_STOP_SECONDS)
            await statements.last()
        finally:
            answering.cancel()
            stating.cancel()
            making.abandon()

    async def _lap(self, making: Making, files: Files, stop: asyncio.Event) -> bool:
        """Take the next window of each file that has one, while there is room; whether any had."""
        any_had = False
        for _ in range(len(files.turns)):
            room = making.has_room and not stop.is_set()
            generation = files.turns.next(time.monotonic()) if room else None
            if generation is None:
                break
            window = files.read(generation, time.monotonic())
            if window is not None and self._lease.is_over:
                rewinds = generation.rewinds
                await self._lease.settle()
                if generation.rewinds != rewinds:
                    continue  # it went back meanwhile, and this window comes again
            if window is not None:
                making.take(generation, window)
                any_had = True
                await asyncio.sleep(0)
        return any_had


def _allow_many_files() -> None:
    """Each followed file is held open, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
