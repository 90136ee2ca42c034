"""Whole processes, measured: wall time, CPU time and peak memory.

In comes a command, out goes what it took from its start to its end.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
PROGRAM = str(Path(sys.executable).with_name("logrouter"))

_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": ""}
"""To find programs of the bench itself; and all are compiled once, as installed ones are, whatever is set here."""

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process took. peak: resident bytes.   output: what it printed to standard output."""

    seconds: float
    cpu_seconds: float
    peak: int
    output: str = ""


class Running:
    """A process that was started; to be ended by `end` or `join`, which say what it took.

    stdout: another place for what it prints than `output`.

    Raises RuntimeError, with what it printed, where it ends with another status than 0 by itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._errors = (directory / "stderr").open("w+b")
        self._output = (directory / "stdout").open("w+b")
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            list(command),
            cwd=directory,
            env=os.environ | _ENVIRONMENT | (env or {}),
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=stdout if stdout is not None else self._output,
            stderr=self._errors,
        )
        self._peak = 0
        self._usage: resource.struct_rusage | None = None
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    @property
    def said(self) -> str:
        """What it has printed to standard error so far."""
        return Path(self._errors.name).read_text(errors="replace")

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> int:
        """Resident bytes at most, as far as was seen."""
        return self._peak

    def until(self, condition: Callable[[], bool], pause: float = _LOOK_SECONDS) -> float:
        """Wait until `condition` holds; the seconds since the start. Raises RuntimeError if the process ends first."""
        while not condition():
            if self.process.poll() is not None or time.monotonic() - self._began > _PATIENCE_SECONDS:
                raise RuntimeError(self._said())
            time.sleep(pause)
        return time.monotonic() - self._began

    def join(self) -> Taken:
        """Wait for its end."""
        _, status, usage = os.wait4(self.process.pid, 0)
        taken = self._taken(usage)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode not in (0, -signal.SIGTERM):
            raise RuntimeError(self._said())
        return taken

    def end(self) -> Taken:
        """Tell it to end, and wait for that."""
        self.process.send_signal(signal.SIGTERM)
        return self.join()

    def _taken(self, usage: resource.struct_rusage) -> Taken:
        seconds = time.monotonic() - self._began
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        self._output.close()
        return Taken(seconds, usage.ru_utime + usage.ru_stime, self._peak, output)

    def _said(self) -> str:
        self._errors.seek(0)
        return f"{self.process.args!r}, status {self.process.poll()}:\n{self._errors.read().decode(errors='replace')}"

    def _watch(self) -> None:
        """What wait4 says of memory includes whatever process started it; /proc does not."""
        while match := _peak_of(self.process.pid):
            self._peak = max(self._peak, match)
            time.sleep(_LOOK_SECONDS)


def run(command: Sequence[str], directory: Path, env: dict[str, str] | None = None) -> Taken:
    """A command from start to end in a directory, which is made."""
    return Running(command, directory, env=env).join()


def logrouter(*arguments: object) -> list[str]:
    """The command line of our program."""
    return [PROGRAM, *map(str, arguments)]


def _peak_of(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) << 10 if found else 0
