"""From a file to archives, by us without and with further options, and by rsyslog on the same file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import rsyslog

Ours = Callable[[Sequence[str], Path], float]
"""Further options and an empty directory -> lines a second."""


def beside_rsyslog(
    bench: Bench, row: tuple[str, str], name: str, ours: Ours, *, how: Sequence[str], least: float
) -> Row:
    """Measure it.

    row: what it is, and how it is measured.   name: of ours.   how: its further options.   least: times rsyslog.
    """
    helped = f"{name}, with {' '.join(how)}"
    peer, theirs = rsyslog(bench)
    figures = bench.in_turn({name: partial(ours, ()), helped: partial(ours, how), peer: theirs})
    return Row(
        *row,
        "lines/s",
        figures,
        [
            Bar("times rsyslog, which has no broker", ratio(figures[name], figures[peer]), least),
            Bar(f"times rsyslog, with {' '.join(how)}", ratio(figures[helped], figures[peer]), least),
        ],
    )
