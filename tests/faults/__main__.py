"""`python -m faults`: the fault campaign in each mode, then a kill at each named point; status 1 if any went wrong.

In comes a seed, or it is drawn; out go tables, printed and written, and the directory of what went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from faults.campaign import run
from faults.each_point import kill_at_each
from faults.schedule import AMQP, EMBEDDED, LOSING
from faults.surroundings import Plan

POINTS = "points"
_LONG_SECONDS = 120.0
"""From there on faults that outlast the heartbeat are among them."""


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--mode", choices=[EMBEDDED, AMQP, LOSING, POINTS, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=600.0, help="of faults, in each mode")
    parser.add_argument("--seed", type=int, default=None, help="drawn and printed if not given")
    parser.add_argument("--rate", type=int, default=400, help="lines a second of each log")
    parser.add_argument("--files", type=int, default=4, help="logs, besides the one for copytruncate")
    parser.add_argument("--report", type=Path, default=Path("faults-report.txt"))
    parser.add_argument("--keep", action="store_true", help="keep what was written even if nothing is wrong")
    given = parser.parse_args()
    given.seed = secrets.randbelow(1 << 31) if given.seed is None else given.seed
    modes = (EMBEDDED, AMQP, LOSING, POINTS) if given.mode == "all" else (given.mode,)
    results = [_points(given) if mode == POINTS else _campaign(given, mode) for mode in modes]
    given.report.write_text("\n\n".join(text for _, text in results) + "\n")
    return 0 if all(is_good for is_good, _ in results) else 1


def _campaign(given: argparse.Namespace, mode: str) -> tuple[bool, str]:
    directory = Path(tempfile.mkdtemp(prefix=f"faults-{mode}-"))
    is_long = given.seconds >= _LONG_SECONDS
    _say(f"{mode}: seed {given.seed}, {given.seconds:g} s of faults, in {directory}")
    plan = Plan(mode, given.seed, given.seconds, directory, given.rate, given.files, is_long=is_long)
    report = asyncio.run(run(plan))
    text = report.text()  # now: it quotes files that may go
    _say(text)
    if report.is_good and not given.keep:
        shutil.rmtree(directory)
    return report.is_good, text


def _points(given: argparse.Namespace) -> tuple[bool, str]:
    directory = Path(tempfile.mkdtemp(prefix="faults-points-"))
    _say(f"a kill at each named point, in {directory}")
    is_good, lines = True, []
    for outcome in kill_at_each(directory):
        _say(str(outcome))
        lines.append(str(outcome))
        is_good = is_good and outcome.is_good
        if outcome.is_good and not given.keep:
            shutil.rmtree(directory / outcome.point)
    if is_good and not given.keep:
        shutil.rmtree(directory)
    return is_good, "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # it is a program


if __name__ == "__main__":
    sys.exit(main())
