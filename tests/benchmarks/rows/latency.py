"""From the write() of a line to its being printed by `logrouter tail`, while lines keep coming."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.arrivals import Arrivals
from benchmarks.bench import Bench, say
from benchmarks.figures import Bar, Figure, Row
from benchmarks.processes import PYTHON, Running, logrouter
from benchmarks.routers import is_consumed, make_ready, write_rules

RATE, SECONDS = 5000, 20
_LEFT_OUT = 2
"""Seconds after the first line: the file is found by a scan, and all that starts is still warming up."""

_ROUNDS = 3
"""At most: each is a hundred thousand lines."""

Start = Callable[[Path, Path, ExitStack], list[str]]
"""Starts, in a room, all that leads a file to listeners, until an ExitStack ends it; the options of `tail`."""


def row(bench: Bench) -> Row:
    """Measure it."""
    url = bench.broker.url

    def rabbitmq(room: Path, lines: Path, stack: ExitStack) -> list[str]:
        make_ready(url, room)
        rules = write_rules(room / "rules", room / "archive", 1)
        router = _started(
            logrouter("run", "--broker", url, "--state", room / "run", "--rules", rules), room / "router", stack
        )
        router.until(lambda: is_consumed(url))
        inputs = ("--file", f"app={lines}", "--host", "h1")
        _started(logrouter("ship", "--broker", url, "--state", room / "ship", *inputs), room / "shipper", stack)
        return ["--broker", url]

    def embedded(room: Path, lines: Path, stack: ExitStack) -> list[str]:
        rules = write_rules(room / "rules", room / "archive", 1)
        inputs = ("--file", f"app={lines}", "--host", "h1")
        up = _started(logrouter("up", "--state", room / "state", "--rules", rules, *inputs), room / "up", stack)
        up.until((room / "state" / "logrouter.sock").exists)
        return ["--state", str(room / "state")]

    values: dict[str, list[tuple[float, float]]] = {"RabbitMQ": [], "embedded": []}
    for number in range(min(bench.rounds, _ROUNDS)):
        for name, start in {"RabbitMQ": rabbitmq, "embedded": embedded}.items():
            with bench.room() as room:
                values[name].append(_percentiles(room, start))
            say(f"  {name}: round {number + 1}: p50 and p99 {values[name][-1]} ms")
    figures = {
        f"{name}, {percentile}": Figure(tuple(each[place] for each in measured))
        for name, measured in values.items()
        for place, percentile in enumerate(("p50", "p99"))
    }
    return Row(
        "latency",
        f"write() of a line to its being printed by tail, {RATE:,} lines/s for {SECONDS} s, all archived meanwhile",
        "ms",
        figures,
        [
            Bar("ms, p50 with RabbitMQ", figures["RabbitMQ, p50"].median, most=80),
            Bar("ms, p99 with RabbitMQ", figures["RabbitMQ, p99"].median, most=300),
        ],
        [f"the first {_LEFT_OUT} s are left out: the new file is found by the shipper's next scan"],
    )


def _percentiles(room: Path, start: Start) -> tuple[float, float]:
    """p50 and p99 in ms. Raises RuntimeError if a line does not come."""
    lines = room / "app.log"
    with ExitStack() as stack:
        options = start(room, lines, stack)
        arrivals = Arrivals()
        tail = Running(logrouter("tail", *options, "app.#"), room / "tail", stdout=arrivals.stdout)
        arrivals.begin()
        tail.until(lambda: "listening" in tail.said)
        writer = Running([PYTHON, "-m", "benchmarks.writer", str(RATE), str(SECONDS), str(lines)], room / "writer")
        written = int(writer.join().output)
        tail.until(lambda: arrivals.count >= written)
        tail.end()
        delays = arrivals.delays()
    first = min(moment for moment, _ in delays)
    counted = [delay / 1e6 for moment, delay in delays if moment - first >= _LEFT_OUT * 1e9]
    hundredths = statistics.quantiles(counted, n=100)
    return hundredths[49], hundredths[98]


def _started(command: list[str], directory: Path, stack: ExitStack) -> Running:
    running = Running(command, directory)
    stack.callback(running.end)
    return running
