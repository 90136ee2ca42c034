"""From a file to archives, by us without and with workers, and by rsyslog on the same file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import rsyslog
from benchmarks.routers import WORKERS


def beside_rsyslog(
    bench: Bench, row: tuple[str, str], name: str, ours: Callable[[int, Path], float], least: float
) -> Row:
    """Measure it.

    row: what it is, and how it is measured.   name: of ours.   ours: lines a second with so many workers, in an empty
    directory.   least: times rsyslog.
    """
    helped = f"{name}, with --workers {WORKERS}"
    peer, theirs = rsyslog(bench)
    figures = bench.in_turn({name: partial(ours, 0), helped: partial(ours, WORKERS), peer: theirs})
    return Row(
        *row,
        "lines/s",
        figures,
        [
            Bar("times rsyslog, which has no broker", ratio(figures[name], figures[peer]), least),
            Bar("times rsyslog, with workers", ratio(figures[helped], figures[peer]), least),
        ],
    )
