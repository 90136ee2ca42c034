"""From a command line to its end, where there is little to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Rival
from benchmarks.figures import Bar, Row, median
from benchmarks.processes import PYTHON, logrouter, run

RULES = Path(__file__).parents[3] / "rules"
_HELP, _CHECK, _LIMIT = "logrouter --help", "logrouter check rules/", "python -c pass"
_ROUNDS = 9
"""At least: a start is short, and whatever else runs shows."""


def row(bench: Bench) -> Row:
    """Measure it, after each was run once, so that all of it is in memory and compiled."""
    commands = {_HELP: logrouter("--help"), _CHECK: logrouter("check", RULES), _LIMIT: [PYTHON, "-c", "pass"]}
    for command in commands.values():
        run(command, bench.directory)

    def timed(command: list[str]) -> Rival:
        return lambda room: 1000 * run(command, room).seconds

    rivals = {name: timed(command) for name, command in commands.items()}
    figures = replace(bench, rounds=max(bench.rounds, _ROUNDS)).in_turn(rivals)
    return Row(
        "start",
        "a program from its start to its end",
        "ms",
        figures,
        [
            Bar(f"ms, {_HELP}", median(figures[_HELP]), most=150),
            Bar(f"ms, {_CHECK}", median(figures[_CHECK]), most=400),
        ],
    )
