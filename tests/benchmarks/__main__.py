"""`python -m benchmarks`: every row of the table, or those that are named; status 0 whatever comes out.

Out go the table, printed and written, and the same as JSON.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from corpus import is_real

from benchmarks.bench import Bench, opened, say
from benchmarks.figures import Row
from benchmarks.machine import machine
from benchmarks.report import document, table
from benchmarks.rows import embedded, end_to_end, foreign, growth, idle, latency, memory, route, ship, size, start

ROWS: dict[str, Callable[[Bench], Row]] = {
    "ship": ship.row,
    "route": route.row,
    "end to end": end_to_end.row,
    "embedded": embedded.row,
    "foreign": foreign.row,
    "latency": latency.row,
    "memory": memory.row,
    "idle": idle.row,
    "start": start.row,
    "size": size.row,
    "growth": growth.row,
}


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, default=[], help="a row; may be given several times")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each rival is measured")
    parser.add_argument("--report", type=Path, default=Path("bench-report.txt"))
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        opened(Path(directory), given.lines, given.rounds) as bench,
    ):
        measured_on = {**machine(), "lines": _lines(bench), "rounds": str(bench.rounds)}
        rows = [_measured(name, bench) for name in given.only or ROWS]
    text = table(measured_on, rows)
    say(f"\n{text}")
    given.report.write_text(f"{text}\n")
    given.report.with_suffix(".json").write_text(f"{document(measured_on, rows)}\n")
    return 0


def _lines(bench: Bench) -> str:
    kind = "of six real systems, shuffled in blocks" if is_real() else "made up"
    return f"{bench.lines:,} {kind}, {bench.corpus.stat().st_size / bench.lines:.0f} bytes on average"


def _measured(name: str, bench: Bench) -> Row:
    say(name)
    try:
        return ROWS[name](bench)
    except (RuntimeError, OSError) as error:  # of one row; the others are worth having
        say(f"  {error}")
        return Row(name, "not measured", "", {}, notes=[str(error).strip().splitlines()[0]])


if __name__ == "__main__":
    sys.exit(main())
