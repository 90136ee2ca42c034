"""A file to an archive in one process, without a broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import rsyslog
from benchmarks.processes import logrouter, run
from benchmarks.routers import WORKERS, write_rules

_OURS = "logrouter up"
_HELPED = f"{_OURS} --workers {WORKERS}"


def row(bench: Bench) -> Row:
    """Measure it."""

    def ours(room: Path, workers: int = 0) -> float:
        rules = write_rules(room / "rules", room / "archive", 1)
        inputs = ("--file", f"app={bench.corpus}", "--host", "h1", "--workers", workers)
        command = logrouter("up", "--state", room / "state", "--rules", rules, *inputs, "--drain")
        return bench.lines / run(command, room).seconds

    peer, theirs = rsyslog(bench)
    figures = bench.in_turn({_OURS: ours, _HELPED: partial(ours, workers=WORKERS), peer: theirs})
    return Row(
        "embedded",
        "a file to an archive, one process",
        "lines/s",
        figures,
        [
            Bar("times rsyslog", ratio(figures[_OURS], figures[peer]), 1.5),
            Bar("times rsyslog, with workers", ratio(figures[_HELPED], figures[peer]), 1.5),
        ],
    )
