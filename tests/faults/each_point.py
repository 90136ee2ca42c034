"""Kill at every named point, one after the other: the random campaign may pass some of them by.

For each point: a run or two before it, so that there is something to finish or to repair; one that dies there; one that
lives. Out goes what each came to.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from faults.oracle import Verdict
from faults.run import Run
from faults.schedule import points_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """fired: whether the process died there.   status: of the run that lived."""

    point: str
    fired: bool
    status: int
    verdict: Verdict

    @property
    def is_good(self) -> bool:
        """Whether all is there, once."""
        return self.status == 0 and self.verdict.is_clean

    def __str__(self) -> str:
        places = {kind: len(places) for kind, places in self.verdict.wrong.items() if places}
        return f"{self.point:28} {'died' if self.fired else 'not reached':12} {'good' if self.is_good else places}"


def kill_at_each(directory: Path) -> Iterator[Outcome]:
    """Every point that `up` comes by with files; spools are left to the campaign."""
    for point in points_of("up"):
        if not point.startswith("spool."):
            yield kill_at(point, directory / point)


def kill_at(point: str, directory: Path) -> Outcome:
    """One point, in a directory of its own."""
    is_repair = ".repair." in point
    with closing(Run(directory, rotate="1GiB" if is_repair else "1KiB")) as run:
        run.route()
        run.write()
        run.route("archive.sync.after:1" if is_repair else "")
        run.write()
        fired = run.route(f"{point}:1") == -signal.SIGKILL
        run.write()
        return Outcome(point, fired, run.route(), run.judge())
