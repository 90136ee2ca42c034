"""A file to an archive in one process, without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Row
from benchmarks.processes import logrouter, run
from benchmarks.routers import WORKERS, write_rules
from benchmarks.rows.beside_rsyslog import beside_rsyslog


def row(bench: Bench) -> Row:
    """Measure it."""

    def ours(how: Sequence[str], room: Path) -> float:
        rules = write_rules(room / "rules", room / "archive", 1)
        inputs = ("--file", f"app={bench.corpus}", "--host", "h1", *how)
        command = logrouter("up", "--state", room / "state", "--rules", rules, *inputs, "--drain")
        return bench.lines / run(command, room).seconds

    return beside_rsyslog(
        bench, ("embedded", "a file to an archive, one process"), "logrouter up", ours, how=WORKERS, least=1.5
    )
