"""Our processes as a campaign has them: started from the installed program, killed at will, started again at once.

In come commands and the faults to arm them with, out go how often each has died, and of what; the most memory that any
life of it has used; and what it said on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from logrouter.support.failpoint import FIRED, VARIABLE

PROGRAM = Path(sys.executable).with_name("logrouter")

_AGAIN_SECONDS = 0.05
"""Between a death and the next start; a service manager takes longer."""

_STOP_SECONDS = 30.0


class Process:
    """`logrouter ARGUMENTS...`, kept alive from `start` to `stop`.

    exits: statuses that nobody here asked for, negative for signals, with how often.   peak: kilobytes of memory.
    """

    def __init__(self, name: str, arguments: Sequence[object], directory: Path) -> None:
        self.name = name
        self._arguments = list(map(str, arguments))
        self._directory = directory
        self._log = directory / f"{name}.log"
        self._armed = self._next = ""
        self._asked = False
        self._process: asyncio.subprocess.Process | None = None
        self._living: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self.exits: Counter[int] = Counter()
        self.lives = 0
        self.peak = 0

    @property
    def pid(self) -> int:
        """Of the life that is lived now."""
        assert self._process is not None  # between `start` and `stop`
        return self._process.pid

    @property
    def is_armed(self) -> bool:
        """Whether this life may end, or a call of it fail, at a named point."""
        return bool(self._armed)

    def start(self) -> None:
        """Begin its first life."""
        self._living = asyncio.create_task(self._live())

    async def kill(self, armed: str = "") -> None:
        """End this life by SIGKILL; the next one is there on return. armed: what the next one suffers."""
        await self._started.wait()
        self._next, self._asked = armed, True
        self._started.clear()
        self.send(signal.SIGKILL)
        await self._started.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def hang_up(self) -> None:
        """Send SIGHUP, but not while the interpreter itself begins: until our first line that ends any program."""
        await self._started.wait()
        while not self._minds(signal.SIGHUP):
            await asyncio.sleep(0.005)
        self.send(signal.SIGHUP)

    def _minds(self, number: signal.Signals) -> bool:
        """Whether this life holds a signal back or handles it, or is over."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return True
        masks = re.findall(r"^Sig(?:Blk|Cgt):\s*([0-9a-f]+)", status, re.MULTILINE)
        return not masks or any(int(mask, 16) & 1 << number - 1 for mask in masks)

    async def stop(self) -> None:
        """End it in order, or by force when it takes too long."""
        if self._living is None:
            return
        self._living.cancel()
        await asyncio.gather(self._living, return_exceptions=True)
        if self._process is None or self._process.returncode is not None:
            return
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            status = await self._process.wait()
        if status:
            self.exits[status] += 1

    def fired(self) -> Counter[str]:
        """The points at which a fault fired, with its effect: `archive.write.after SIGKILL`."""
        return Counter(
            line.removeprefix(FIRED).strip() for line in self.said().splitlines() if line.startswith(f"{FIRED} ")
        )

    async def until_said(self, text: str) -> None:
        """Wait until it has written this to standard error."""
        while text not in self.said():
            await asyncio.sleep(0.05)

    def said(self) -> str:
        """All that it wrote to standard error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def sample(self) -> None:
        """Look at its memory."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            high = next(line for line in lines if line.startswith("VmHWM"))
            self.peak = max(self.peak, int(high.split()[1]))

    async def _live(self) -> None:
        while True:
            await self._begin()
            assert self._process is not None
            status = await self._process.wait()
            if not self._asked:
                self.exits[status] += 1
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _begin(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGROUTER_")}
        self._armed, self._next, self._asked = self._next, "", False
        environment = kept | {"HOME": str(self._directory)} | ({VARIABLE: self._armed} if self._armed else {})
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM,
                *self._arguments,
                cwd=self._directory,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.lives += 1
        self._started.set()
