"""A backlog to archives: synced gzip through twenty rules, the ledger committed, all acknowledged."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.processes import PYTHON, run
from benchmarks.queues import depth
from benchmarks.routers import INGRESS, make_ready, route, ship, write_rules

_OURS, _LIMIT = "logrouter run", "limit loop"
RULES = 20


def row(bench: Bench) -> Row:
    """Measure it."""
    url = bench.broker.url

    def ours(room: Path) -> float:
        make_ready(url, room)
        ship(url, room, bench.corpus)
        rules = write_rules(room / "rules", room / "archive", RULES)
        return bench.lines / route(url, room, rules).seconds

    def limit(room: Path) -> float:
        make_ready(url, room)
        ship(url, room, bench.corpus)
        messages = depth(url, INGRESS)
        command = [PYTHON, "-m", "benchmarks.limits", "route", url, INGRESS, str(room / "out.gz"), str(messages)]
        return bench.lines / run(command, room).seconds

    figures = bench.in_turn({_OURS: ours, _LIMIT: limit})
    return Row(
        "route",
        f"a backlog to synced gzip archives through {RULES} rules, ledger committed, acknowledged",
        "lines/s",
        figures,
        [Bar("of the limit loop: consume, isal level 1, fdatasync, ack", ratio(figures[_OURS], figures[_LIMIT]), 0.6)],
    )
