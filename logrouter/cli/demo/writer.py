"""Writes the logs of the demo as `HOST/FILE` below a directory, rotates them by rename, and defines inputs for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random

from logrouter.app.all_in_one import Companion
from logrouter.cli.demo.scenes import LOGS, TICK, DemoLog, lines_at
from logrouter.errors import LogrouterError
from logrouter.support.aio import wait
from shippers.agent import Agent
from shippers.input import Input

_PAST_TICKS = 300
"""Moments that a drained demo writes: one minute."""

_ROTATE_TICKS = 100
"""Moments between rotations of one file. Only one rotated file is kept of each log, so that the demo stays small."""


def demo_inputs(directory: Path) -> list[Input]:
    """Return inputs that follow the files of the demo."""
    return [
        Input(service=log.service, globs=(str(_path(directory, log)),), host=log.host, severity=log.severity)
        for log in LOGS
    ]


class Writer:
    """Writes log files below `directory`. Raises OSError if it cannot."""

    def __init__(self, directory: Path, random: Random) -> None:
        self._directory = directory
        self._random = random
        self._ticks = 0
        self._turns = cycle(LOGS)
        for log in LOGS:
            _path(directory, log).parent.mkdir(parents=True, exist_ok=True)
            _path(directory, log).touch()

    async def run(self, stop: asyncio.Event) -> None:
        """Write the current moment, again and again, until `stop` is set."""
        while not stop.is_set():
            self.write(datetime.now(UTC))
            if self._ticks % _ROTATE_TICKS == 0:
                self.rotate()
            await wait(stop, TICK)

    def write_past(self, ticks: int) -> None:
        """Write the lines of the last `ticks` moments."""
        now = datetime.now(UTC)
        for left in reversed(range(ticks)):
            self.write(now - timedelta(seconds=left * TICK))

    def write(self, at: datetime) -> None:
        """Write the lines of this moment, in local time as most programs do."""
        lines: dict[DemoLog, list[str]] = {}
        for log, line in lines_at(self._random, at.astimezone(), self._ticks * TICK):
            lines.setdefault(log, []).append(line)
        for log, texts in lines.items():
            _append(_path(self._directory, log), texts)
        self._ticks += 1

    def rotate(self) -> None:
        """Rotate the next file by rename."""
        path = _path(self._directory, next(self._turns))
        path.rename(path.with_name(f"{path.name}.1"))
        path.touch()


def write_demo(logs: Path, *, past: bool) -> Companion:
    """Return a companion that writes the logs of the demo: those of the past minute if `past`, else from now on."""

    async def write(agent: Agent, stop: asyncio.Event, over: asyncio.Event) -> None:
        try:
            writer = Writer(logs, Random())  # noqa: S311  # made-up logs
            if past:
                writer.write_past(_PAST_TICKS)
            else:
                await writer.run(stop)
        except OSError as error:
            stop.set()
            raise LogrouterError(f"the demo cannot write its logs under {logs}: {error.strerror}") from error

    return write


def _append(path: Path, lines: Sequence[str]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def _path(directory: Path, log: DemoLog) -> Path:
    return directory / log.host / log.file
