"""A file to the broker: confirmed, persistent, in a quorum queue; severity and time read, positions saved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench, Rival
from benchmarks.figures import Bar, Row, ratio
from benchmarks.peers import syslog_ng
from benchmarks.processes import PYTHON, run
from benchmarks.queues import channel, clear
from benchmarks.routers import INGRESS, PACKED, WORKERS, make_ready, ship

_OURS, _LIMIT = "logrouter ship", "limit loop"
_HELPED, _PACKED = (" ".join((_OURS, *how)) for how in (WORKERS, PACKED))
_OF_LIMIT = "of the limit loop: read, split, encode, publish with confirms"
_QUEUE = "bench.limit"


def row(bench: Bench) -> Row:
    """Measure it."""
    url = bench.broker.url

    def ours(room: Path, how: Sequence[str] = ()) -> float:
        make_ready(url, room)
        return bench.lines / ship(url, room, bench.corpus, how=how).seconds

    def limit(room: Path) -> float:
        taken = run([PYTHON, "-m", "benchmarks.limits", "ship", url, _QUEUE, str(bench.corpus)], room)
        clear(url, _QUEUE)
        return bench.lines / taken.seconds

    peer, theirs = syslog_ng(bench, bench.broker, INGRESS)

    def into_an_empty_queue(room: Path) -> float:
        assert theirs is not None  # it is a rival only then
        with channel(url) as opened:
            opened.queue_purge(INGRESS)
        return theirs(room)

    rivals: dict[str, Rival | None] = {
        _OURS: ours,
        _HELPED: partial(ours, how=WORKERS),
        _PACKED: partial(ours, how=PACKED),
        _LIMIT: limit,
        peer: into_an_empty_queue if theirs else None,
    }
    figures = bench.in_turn(rivals)
    return Row(
        "ship",
        "a file to a quorum queue, persistent, confirmed; severity and time read, positions saved",
        "lines/s",
        figures,
        [
            Bar(_OF_LIMIT, ratio(figures[_OURS], figures[_LIMIT]), 0.6),
            Bar(f"{_OF_LIMIT}, with workers", ratio(figures[_HELPED], figures[_LIMIT]), 0.6),
            Bar(f"{_OF_LIMIT}, with workers, compressed", ratio(figures[_PACKED], figures[_LIMIT]), 0.6),
            Bar("times syslog-ng", ratio(figures[_OURS], figures[peer]), 20),
        ],
    )
