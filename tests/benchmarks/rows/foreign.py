"""One-line messages of other publishers to the archive."""

from __future__ import annotations

import time
from pathlib import Path

import pika

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Row, ratio
from benchmarks.processes import PYTHON, run
from benchmarks.queues import channel, depth
from benchmarks.routers import INGRESS, make_ready, route, write_rules

_OURS, _LIMIT = "logrouter run", "bare aio-pika consumer, acks by hundreds"
_SHARE = 10
"""Of the lines, one in so many is published: they come singly, and nothing is in a batch."""


def row(bench: Bench) -> Row:
    """Measure it."""
    url = bench.broker.url
    count = bench.lines // _SHARE

    def ours(room: Path) -> float:
        make_ready(url, room)
        _publish(url, bench.corpus, count)
        rules = write_rules(room / "rules", room / "archive", 1)
        return count / route(url, room, rules).seconds

    def limit(room: Path) -> float:
        make_ready(url, room)
        _publish(url, bench.corpus, count)
        command = [PYTHON, "-m", "benchmarks.limits", "foreign", url, INGRESS, str(room / "out"), str(count)]
        return count / run(command, room).seconds

    figures = bench.in_turn({_OURS: ours, _LIMIT: limit})
    mine = figures[_OURS]
    return Row(
        "foreign",
        "one-line messages of other publishers to the archive",
        "msgs/s",
        figures,
        [
            Bar("of the bare consumer", ratio(mine, figures[_LIMIT]), 0.9),
            Bar("messages a second", mine.median if mine else None, 5000),
        ],
    )


def _publish(url: str, lines: Path, count: int) -> None:
    """Single lines, persistent, and confirmed all together by the queue's depth."""
    kept = pika.BasicProperties(delivery_mode=2)
    with channel(url) as opened, lines.open("rb") as file:
        for _ in range(count):
            opened.basic_publish("log", "app.h1.info", file.readline().rstrip(b"\r\n"), kept)
    while depth(url, INGRESS) < count:
        time.sleep(0.05)
