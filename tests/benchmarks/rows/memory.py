"""Resident memory at its peak: a shipper with many files, a router with a long backlog, one with large messages."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pika
import zstandard

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure, Row
from benchmarks.lines import spread
from benchmarks.processes import PYTHON, Running, logrouter
from benchmarks.queues import channel
from benchmarks.routers import archived, archived_bytes, is_consumed, make_ready, route, ship, write_rules

FILES, BACKLOG = 1000, 10**9
RATE, SECONDS = 5000, 20
_SHIP, _RUN, _LARGE = "logrouter ship", "logrouter run", "logrouter run, large messages"
_MESSAGES = {"": (60, 10**7), "zstd": (100, 64 << 20)}
"""Of foreign messages by their encoding: how many, and the bytes of each, unpacked."""

_MB = 10**6
_ROUNDS = 3
"""At most: memory varies less than time."""


def row(bench: Bench) -> Row:
    """Measure it."""
    url = bench.broker.url

    def shipper(room: Path) -> float:
        """What the files hold is shipped, then what is written to all of them."""
        make_ready(url, room)
        rules = write_rules(room / "rules", room / "archive", 1)
        router = Running(logrouter("run", "--broker", url, "--state", room / "run", "--rules", rules), room / "router")
        router.until(lambda: is_consumed(url))
        paths = spread(bench.corpus, room / "logs", FILES)
        inputs = ("--file", f"app={room / 'logs'}/*.log", "--host", "h1")
        running = Running(logrouter("ship", "--broker", url, "--state", room / "ship", *inputs), room / "shipper")
        running.until(lambda: archived(room / "run") >= bench.lines)
        command = [PYTHON, "-m", "benchmarks.writer", str(RATE), str(SECONDS), *map(str, paths)]
        lines = bench.lines + int(Running(command, room / "writer").join().output)
        running.until(lambda: archived(room / "run") >= lines)
        router.end()
        return running.end().peak / _MB

    def router(room: Path) -> float:
        """The corpus is shipped once, to know what it comes to, and then often enough, each time as another source."""
        make_ready(url, room)
        rules = write_rules(room / "rules", room / "archive", 1)
        ship(url, room, bench.corpus, "ship0")
        route(url, room, rules)
        for number in range(math.ceil(BACKLOG / archived_bytes(room / "run"))):
            ship(url, room, bench.corpus, f"ship{number + 1}")
        return route(url, room, rules).peak / _MB

    def large(room: Path) -> float:
        make_ready(url, room)
        with channel(url) as opened:
            for encoding, (count, size) in _MESSAGES.items():
                kept = pika.BasicProperties(delivery_mode=2, content_encoding=encoding)
                bodies = [fill * size for fill in (b"\x01", b"\xff", b"y")]  # as JSON: six bytes each, three, and one
                if encoding:
                    bodies = [zstandard.compress(body) for body in bodies]
                for number in range(count):
                    opened.basic_publish("log", "app.h1.info", bodies[number % len(bodies)], kept)
        rules = write_rules(room / "rules", room / "archive", 1)
        return route(url, room, rules).peak / _MB

    figures = replace(bench, rounds=min(bench.rounds, _ROUNDS)).in_turn({_SHIP: shipper, _RUN: router, _LARGE: large})
    return Row(
        "memory",
        f"peak resident: ship with {FILES:,} files of {bench.lines // FILES:,} lines, then {RATE:,} lines/s; "
        "run with a backlog of 1 GB; run with 60 messages of 10 MB and 100 of a few KB that unpack to 64 MiB",
        "MB",
        figures,
        [
            Bar("MB, ship", _most(figures[_SHIP]), most=70),
            Bar("MB, run", _most(figures[_RUN]), most=250),
            Bar("MB, run, large messages", _most(figures[_LARGE]), most=268),
        ],
        ["MB are 10^6 bytes; the bars are held against the highest of all rounds"],
    )


def _most(figure: Figure | None) -> float | None:
    return max(figure.values) if figure else None
