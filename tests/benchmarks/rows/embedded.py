"""A file to an archive in one process, without a broker."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Row
from benchmarks.processes import logrouter, run
from benchmarks.routers import write_rules
from benchmarks.rows.beside_rsyslog import beside_rsyslog


def row(bench: Bench) -> Row:
    """Measure it."""

    def ours(workers: int, room: Path) -> float:
        rules = write_rules(room / "rules", room / "archive", 1)
        inputs = ("--file", f"app={bench.corpus}", "--host", "h1", "--workers", workers)
        command = logrouter("up", "--state", room / "state", "--rules", rules, *inputs, "--drain")
        return bench.lines / run(command, room).seconds

    return beside_rsyslog(bench, ("embedded", "a file to an archive, one process"), "logrouter up", ours, 1.5)
