"""Jobs of whole processes that can be had small and large: so many rules, keys, files, sources, archive files.

In come numbers, out goes what a line cost. A job runs twice: with the lines, and once more with nothing new. The
difference is the cost of the lines; what the second run takes is the fixed cost of starting at that size, told by
itself. Nothing else is taken off: smaller batches, first meetings of keys and more files to sync are the lines' cost.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lines import BLOCK
from benchmarks.processes import Taken, logrouter, run
from benchmarks.routers import archived, make_ready, route, ship, write_rules
from logrouter.ledger.ledger import DECIDED, INGRESS, Counted, Ledger, LedgerEntry
from logrouter.wire.routing_key import SEVERITIES
from logrouter.wire.statement import SHIPPER, SourceStatement, Statement

RULES = 20
"""Where it is not the rules that grow."""

FILES = 10
"""Where it is not the files that grow."""

_SERVICE = "app"
_ONE_FILE = "{date}.jsonl.gz"
"""An archive in which keys make no files: those are measured by themselves."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of each line: processor time and wall time, microseconds. fixed: processor seconds of a start at that size."""

    cpu: float
    wall: float
    fixed: float


@dataclass(frozen=True, slots=True)
class Following:
    """`logrouter up --drain` on files that it knows and that have grown.

    rules: of which none takes these lines.   files: over which the lines are spread, the same number in all.
    services: of these files, and so the archive files.   sources: others that the ledger knows already.
    """

    rules: int = RULES
    files: int = FILES
    services: int = 1
    sources: int = 0

    def cost(self, corpus: Path, lines: int, room: Path) -> Cost:
        """Follow them in an empty directory."""
        rules = write_rules(room / "rules", room / "archive", self.rules)
        logs = room / "logs"
        for service in self._services():
            (logs / service).mkdir(parents=True)
        names = itertools.cycle(self._services())
        paths = [logs / next(names) / f"{number}.log" for number in range(self.files)]
        for path in paths:
            path.write_bytes(b"a line before all others\n")
        if self.sources:
            know_sources(room / "state", self.sources)
        inputs = [word for service in self._services() for word in ("--file", f"{service}={logs / service}/*.log")]
        state = ("--state", room / "state", "--rules", rules, "--host", "h1")
        command = logrouter("up", *state, *inputs, "--drain")
        run(command, room)
        before = archived(room / "state")
        _spread(corpus, lines, paths)
        cost = _cost(lambda: run(command, room), lines)
        _expect(archived(room / "state") - before, lines)
        return cost

    def _services(self) -> list[str]:
        return [f"{_SERVICE}{number}" for number in range(self.services)]


def _spread(corpus: Path, lines: int, paths: list[Path]) -> None:
    """Append to each file as many lines as to the others."""
    with corpus.open("rb") as content:
        for number, path in enumerate(paths):
            count = lines * (number + 1) // len(paths) - lines * number // len(paths)
            with path.open("ab") as file:
                file.writelines(itertools.islice(content, count))


def know_sources(state: Path, count: int) -> None:
    """Make a ledger that knows so many sources: what was decided, counted and stated of each."""
    state.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(state)
    try:
        entry = LedgerEntry()
        names = [f"{number:016x}" for number in range(count)]
        for name in names:
            entry.add_decided(INGRESS, name, [(0, 1_000_000)])
            for destination in (DECIDED, "archive"):
                entry.counts[Counted(name, destination, "2026-01-01", f"old{int(name, 16) % 100}", "h1")] = 10_000
        entry.statements.append(_stated(names))
        ledger.commit(entry)
    finally:
        ledger.close()


def _stated(sources: Sequence[str]) -> Statement:
    said = [
        SourceStatement(
            source=source, input=_SERVICE, path=f"/old/{source}", start=0, read=10**6, confirmed=10**6, lines=10_000
        )
        for source in sources
    ]
    return Statement(kind=SHIPPER, reporter="old", host="h1", version="1", config="", started=1.0, at=2.0, sources=said)


def shipping(url: str, keys: Path, lines: int, room: Path) -> Cost:
    """`logrouter ship --drain` of a file whose lines have many keys."""
    make_ready(url, room)
    inputs = _by_program(keys, room)
    return _cost(lambda: ship(url, room, inputs), lines)


def routing(url: str, keys: Path, lines: int, room: Path) -> Cost:
    """`logrouter run --drain` of what that made."""
    make_ready(url, room)
    ship(url, room, _by_program(keys, room))
    rules = write_rules(room / "rules", room / "archive", RULES, _ONE_FILE)
    cost = _cost(lambda: route(url, room, rules), lines)
    _expect(archived(room / "run"), lines)
    return cost


def _by_program(keys: Path, room: Path) -> tuple[str, Path]:
    """An input whose services are the programs that its lines name."""
    path = room / "inputs.yaml"
    path.write_text(f"files: [{keys}]\n")
    return "--config", path


def write_keys(path: Path, corpus: Path, count: int) -> Path:
    """The lines of a file under so many keys: programs and severities, in turn by bursts of lines of one kind."""
    with corpus.open("rb") as content, path.open("wb") as file:
        for head in _heads(count):
            burst = list(itertools.islice(content, BLOCK))
            if not burst:
                return path
            file.writelines(head + line for line in burst)
    raise AssertionError("heads have no end")


def _heads(count: int) -> Iterator[bytes]:
    now = time.strftime("%b %e %H:%M:%S")
    heads = [
        f"{now} h1 {_SERVICE}{number // len(SEVERITIES)}[7]: {SEVERITIES[number % len(SEVERITIES)]}: ".encode()
        for number in range(count)
    ]
    random.Random(count).shuffle(heads)
    return itertools.cycle(heads)


def _expect(found: int, lines: int) -> None:
    """What was measured is the work and not its absence. Raises RuntimeError."""
    if found != lines:
        raise RuntimeError(f"{found} lines of {lines} are in the archive")


def _cost(job: Callable[[], Taken], lines: int) -> Cost:
    """What a job costs each line, and what it takes without any."""
    first, again = job(), job()
    cpu, wall = first.cpu_seconds - again.cpu_seconds, first.seconds - again.seconds
    return Cost(cpu / lines * 1e6, wall / lines * 1e6, again.cpu_seconds)
