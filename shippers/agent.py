"""The shipper agent: finds files, reads them in turn, publishes their windows and saves its checkpoints.

It runs until it is stopped and survives any loss of the broker: files are watched and held open meanwhile.
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
from shippers.files.scan_loop import ScanLoop
from shippers.files.watches import Watches
from shippers.input import Input
from shippers.lease import Lease
from shippers.pipeline import Pipeline
from shippers.publisher import IN_FLIGHT, Publisher
from shippers.readiness import router_has_been_present
from shippers.retransmission import Retransmission
from shippers.spool.spools import Spools
from shippers.statements import ShipperReporter, Statements, config_hash
from shippers.workers import Workers

_REST_SECONDS = 1.0
"""Seconds to wait while no file is awake. Waking a file ends the wait at once."""

_STOP_SECONDS = 10.0
"""Seconds to wait, after a stop, for the confirms of windows that are in flight."""

_BACKOFF = Backoff(0.2, 15.0)
"""Between two attempts to open a session."""

_ROUTER_BACKOFF = Backoff(0.02, 15.0)
"""Between two probes for a router. It starts small because a router in the same process is ready within moments."""

_DESCRIPTORS_OF_WORKER = 4

_ABSENT_SECONDS = 1.0
"""Seconds after which a missing router is logged. One that starts at the same time as the shipper is there earlier."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one input.

    service: the name of the input.   files: files that are followed now.
    lines_read: lines that were read into windows.   lines_confirmed: those of them that the broker has confirmed.
    bytes_behind: bytes that the broker has not confirmed, read or not.
    """

    service: str
    files: int
    lines_read: int
    lines_confirmed: int
    bytes_behind: int


class Agent:
    """Ships what `inputs` match to `broker`. `state` is this agent's own directory.

    host: the host of inputs that name none.
    instances: the routers that must have been on the broker before anything is published.
    excluded: directories whose files are never followed. The state directory is always one of them.
    grace: seconds for which a renamed or deleted file is still followed after it last grew.
    workers: processes, beside this one, that encode windows.
    in_flight: the limit of bytes that are published and not confirmed. A broker that confirms late needs more.
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
        self._rounds = ScanLoop(self._inputs, [str(directory) for directory in (*excluded, state)])
        self._grace = grace
        self._in_flight = in_flight
        self._workers = Workers(workers, self._inputs) if workers else None
        self._files: Files | None = None
        self._spools: Spools | None = None
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        self._unreachable = Condition(BROKER_LOST, BROKER_FOUND)
        self._publish_refused = Condition(PUBLISH_REFUSED, PUBLISH_TAKEN)
        self._statements_refused = Condition(STATEMENT_REFUSED, STATEMENT_TAKEN)
        self._requests_forbidden = Condition(RESENDING_FORBIDDEN, RESENDING_ALLOWED)
        self._absent = {instance: Condition(ROUTER_ABSENT, ROUTER_HERE) for instance in instances}

    async def run(self, stop: asyncio.Event) -> None:
        """Ship until `stop` is set, then wait some 10 seconds at most for the windows in flight. Call it only once.

        Raises StateError if the state directory is in use or was written by a newer version.
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
        """Wait until all that the inputs hold now is confirmed. Return what is left, each with the reason.

        Standard input is drained to its end, and a journal up to what it held when this process began.

        Call this while `run` runs. It returns when `run` ends, at the latest.
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
        """Return the progress of each input, in the order in which the inputs were given."""
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
            self._rounds.wake()
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
                self._publish_refused.begin(broker=self._broker.name, reason=f"{error}; {error.remedy}")
            except BrokerError as error:
                self._unreachable.begin(broker=self._broker.name, reason=error)
            worked = time.monotonic() - began > _BACKOFF.longest  # a shorter session does not prove that it works
            failures = 1 if worked else failures + 1
            await wait(stop, _BACKOFF.pause(failures))

    async def _wait_for_routers(self, session: Session, stop: asyncio.Event) -> None:
        """Wait until each router has been on the broker: before that, messages may reach only listeners and be lost."""
        for instance, absent in self._absent.items():
            probes, since = 0, time.monotonic()
            while not await router_has_been_present(session, instance, stop):
                if stop.is_set():
                    return
                if time.monotonic() - since >= _ABSENT_SECONDS:
                    absent.begin(instance=instance, broker=self._broker.name)
                probes += 1
                await wait(stop, _ROUTER_BACKOFF.pause(probes))
            absent.end(instance=instance, broker=self._broker.name)

    async def _publish(self, session: Session, files: Files, stop: asyncio.Event) -> None:
        await self._lease.begin()
        publisher = Publisher(
            session, self._broker.name, self._lease, self._changed, self._publish_refused, limit=self._in_flight
        )
        making = Pipeline(publisher, self._workers, self._changed)
        statements = Statements(session, files, self._reporter, self._lease, self._statements_refused)
        stating = asyncio.create_task(statements.keep(stop))
        retransmission = Retransmission(session, files, self._lease, statements, self._requests_forbidden)
        answering = asyncio.create_task(retransmission.answer())
        try:
            while not stop.is_set():
                making.check()
                self._changed.clear()
                if not await self._read_windows(making, files, stop):
                    await wait(self._changed, TICK if files.turns else _REST_SECONDS)
            await making.finish(_STOP_SECONDS)
            await statements.last()
        finally:
            answering.cancel()
            stating.cancel()
            making.abandon()

    async def _read_windows(self, making: Pipeline, files: Files, stop: asyncio.Event) -> bool:
        """Take the next window of each file that has one, while there is room. Report whether any file had one."""
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
                    continue  # the source was rewound meanwhile, so this window is read again
            if window is not None:
                making.take(generation, window)
                any_had = True
                await asyncio.sleep(0)
        return any_had


def _allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: each followed file is held open, and the default is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
