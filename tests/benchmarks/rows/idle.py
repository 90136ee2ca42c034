"""CPU that is used while nothing happens: a shipper with many quiet files, a router without traffic."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.bench import Bench, say
from benchmarks.figures import Bar, Figure, Row
from benchmarks.lines import spread
from benchmarks.processes import Running, logrouter, run
from benchmarks.routers import is_consumed, make_ready, route, write_rules

FILES, SECONDS = 1000, 25
_SETTLING = 5
"""Seconds from its start until a program has come to rest."""

_ROUNDS = 3
_SHIP, _RUN = "logrouter ship, 1,000 quiet files", "logrouter run, no traffic"


def row(bench: Bench) -> Row:
    """Measure both at once: the router hears of the shipper once a minute, as in life."""
    url = bench.broker.url
    shares: dict[str, list[float]] = {_SHIP: [], _RUN: []}
    for number in range(min(bench.rounds, _ROUNDS)):
        with bench.room() as room:
            make_ready(url, room)
            rules = write_rules(room / "rules", room / "archive", 1)
            spread(bench.corpus, room / "logs", FILES)
            inputs = ("--file", f"app={room / 'logs'}/*.log", "--host", "h1")
            shipper = logrouter("ship", "--broker", url, "--state", room / "ship", *inputs)
            run([*shipper, "--drain"], room)
            route(url, room, rules)
            router = Running(
                logrouter("run", "--broker", url, "--state", room / "run", "--rules", rules), room / "router"
            )
            router.until(lambda: is_consumed(url))
            both = [Running(shipper, room / "shipper"), router]
            time.sleep(_SETTLING)
            for name, share in zip(shares, _shares(both), strict=True):
                shares[name].append(share)
                say(f"  {name}: round {number + 1}: {share:.3g} %")
            for running in both:
                running.end()
    figures = {name: Figure(tuple(values)) for name, values in shares.items()}
    return Row(
        "idle",
        f"CPU of a program that has come to rest, over {SECONDS} s, of one core",
        "%",
        figures,
        [Bar(f"% of a core, {name}", figure.median, most=1) for name, figure in figures.items()],
    )


def _shares(programs: Sequence[Running]) -> list[float]:
    """Per cent of a core that each uses."""
    began, before = time.monotonic(), [each.cpu_seconds for each in programs]
    time.sleep(SECONDS)
    seconds = time.monotonic() - began
    return [100 * (each.cpu_seconds - its) / seconds for each, its in zip(programs, before, strict=True)]
