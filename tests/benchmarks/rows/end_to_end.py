"""A file through RabbitMQ to an archive, shipper, broker and router at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Row
from benchmarks.processes import Running, logrouter
from benchmarks.routers import PACKED, archived, is_consumed, make_ready, ship, write_rules
from benchmarks.rows.beside_rsyslog import beside_rsyslog


def row(bench: Bench) -> Row:
    """Measure it: from the start of the shipper, with the router waiting, until the ledger has every line."""
    url = bench.broker.url

    def ours(how: Sequence[str], room: Path) -> float:
        make_ready(url, room)
        rules = write_rules(room / "rules", room / "archive", 1)
        command = logrouter("run", "--broker", url, "--state", room / "run", "--rules", rules)
        router = Running(command, room)
        router.until(lambda: is_consumed(url))
        began = time.monotonic()
        ship(url, room, bench.corpus, how=how)
        router.until(lambda: archived(room / "run") >= bench.lines)
        seconds = time.monotonic() - began
        router.end()
        return bench.lines / seconds

    return beside_rsyslog(
        bench,
        ("end to end", "a file to archives, everything at once"),
        "logrouter ship and run, RabbitMQ between them",
        ours,
        how=PACKED,
        least=1.0,
    )
