"""Encodes windows in processes beside this one, for hosts that write more logs than one core can read.

The processes hold no state and no files. They read frames from their standard input until it ends, so they end when
this process ends, in whatever way. If one dies, the windows that it had are encoded here.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Self

from logrouter.observability.events import WORKER_LOST
from logrouter.wire.batch import Part
from shippers.encode.fallback import safe_parts
from shippers.encode.lines import Window
from shippers.input import Input
from shippers.worker import LENGTH, Job, Made, frame


class Workers:
    """`count` processes that encode windows of `inputs`. An async context manager."""

    def __init__(self, count: int, inputs: Sequence[Input]) -> None:
        self.count = count
        self._inputs = list(inputs)
        self._indexes = {settings: index for index, settings in enumerate(self._inputs)}
        self._workers: list[_Worker] = []

    async def __aenter__(self) -> Self:
        """Start the processes. Raises OSError."""
        for _ in range(self.count):
            self._workers.append(await _Worker.started(self._inputs))
        return self

    async def parts(self, window: Window, settings: Input) -> tuple[Part, ...]:
        """Return the parts of a window, from the worker with the fewest jobs. Falls back to this process."""
        job = (window, self._indexes[settings], time.time())
        able = [worker for worker in self._workers if not worker.is_lost]
        made = await min(able, key=_load).make(job) if able else None
        return made or safe_parts(window, settings, job[2])

    async def __aexit__(self, *error: object) -> None:
        """End the processes, after the jobs that they have."""
        for worker in self._workers:
            await worker.end()


class _Worker:
    """One process. is_lost: whether it ended by itself.   jobs: the futures of its jobs, oldest first."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # by `started`
        assert process.stdout is not None
        self.is_lost = False
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self.jobs: deque[asyncio.Future[Made]] = deque()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def started(cls, inputs: Sequence[Input]) -> _Worker:
        """Start a process and send it the inputs."""
        pipe = asyncio.subprocess.PIPE
        # In a session of its own, because Ctrl-C in a terminal is for the shipper, which then ends the worker.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shippers.worker", stdin=pipe, stdout=pipe, start_new_session=True
        )
        worker = cls(process)
        worker._input.write(frame(list(inputs)))
        return worker

    async def make(self, job: Job) -> Made:
        """Return the parts; None if the process could not encode them or ends before."""
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self.jobs.append(made)
        self._input.write(frame(job))
        return await made

    async def end(self) -> None:
        """Close the input of the process and wait until it has ended."""
        self._reading.cancel()
        self._input.close()
        await self._process.wait()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = LENGTH.unpack(await self._output.readexactly(LENGTH.size))
                made = pickle.loads(await self._output.readexactly(length))  # noqa: S301  # written by `worker`
                future = self.jobs.popleft()
                if not future.done():
                    future.set_result(made)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.is_lost = True
            WORKER_LOST.happened(pid=self._process.pid, reason=error)
            for future in self.jobs:
                if not future.done():
                    future.set_result(None)


def _load(worker: _Worker) -> int:
    return len(worker.jobs)
