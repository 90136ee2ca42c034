"""A file to an archive in one process, without a broker."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import rsyslog
from benchmarks.processes import logrouter, run
from benchmarks.routers import write_rules

_OURS = "logrouter up"


def row(bench: Bench) -> Row:
    """Measure it."""

    def ours(room: Path) -> float:
        rules = write_rules(room / "rules", room / "archive", 1)
        inputs = ("--file", f"app={bench.corpus}", "--host", "h1")
        command = logrouter("up", "--state", room / "state", "--rules", rules, *inputs, "--drain")
        return bench.lines / run(command, room).seconds

    peer, theirs = rsyslog(bench)
    figures = bench.in_turn({_OURS: ours, peer: theirs})
    return Row(
        "embedded",
        "a file to an archive, one process",
        "lines/s",
        figures,
        [Bar("times rsyslog", ratio(figures[_OURS], figures[peer]), 1.5)],
    )
