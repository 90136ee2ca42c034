"""A file through RabbitMQ to an archive, shipper, broker and router at once."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import rsyslog
from benchmarks.processes import Running, logrouter
from benchmarks.routers import WORKERS, archived, is_consumed, make_ready, ship, write_rules

_OURS = "logrouter ship and run, RabbitMQ between them"
_HELPED = f"the same, ship --workers {WORKERS}"


def row(bench: Bench) -> Row:
    """Measure it: from the start of the shipper, with the router waiting, until the ledger has every line."""
    url = bench.broker.url

    def ours(room: Path, workers: int = 0) -> float:
        make_ready(url, room)
        rules = write_rules(room / "rules", room / "archive", 1)
        command = logrouter("run", "--broker", url, "--state", room / "run", "--rules", rules)
        router = Running(command, room)
        router.until(lambda: is_consumed(url))
        began = time.monotonic()
        ship(url, room, bench.corpus, workers=workers)
        router.until(lambda: archived(room / "run") >= bench.lines)
        seconds = time.monotonic() - began
        router.end()
        return bench.lines / seconds

    peer, theirs = rsyslog(bench)
    figures = bench.in_turn({_OURS: ours, _HELPED: partial(ours, workers=WORKERS), peer: theirs})
    return Row(
        "end to end",
        "a file to archives, everything at once",
        "lines/s",
        figures,
        [
            Bar("times rsyslog, which has no broker", ratio(figures[_OURS], figures[peer]), 1.0),
            Bar("times rsyslog, with workers", ratio(figures[_HELPED], figures[peer]), 1.0),
        ],
    )
