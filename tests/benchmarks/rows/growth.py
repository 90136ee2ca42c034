"""What a line costs where there is much of something, beside what it costs where there is little."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, Rival
from benchmarks.figures import Bar, Figure, Row, ratio
from benchmarks.growing import Cost, Following, routing, shipping, write_keys
from benchmarks.lines import BLOCK

MOST = 1.25


@dataclass(frozen=True, slots=True)
class _Growth:
    """Something that grows from `small` to `large`. cost: of the lines where there is so much of it, in a directory."""

    what: str
    small: int
    large: int
    cost: Callable[[int, Path], Cost] | None

    @property
    def names(self) -> tuple[str, str]:
        """Of its two rivals."""
        return f"{self.small:,} {self.what}", f"{self.large:,} {self.what}"


def row(bench: Bench) -> Row:
    """Measure it."""
    grown = list(_growths(bench))
    costs: dict[str, list[Cost]] = defaultdict(list)
    figures: dict[str, Figure | None] = {}
    for each in grown:
        pairs = zip(each.names, (each.small, each.large), strict=True)
        rivals = {name: _rival(each, size, costs[name]) for name, size in pairs}
        figures |= bench.in_turn(rivals)
    return Row(
        "growth",
        "processor time of each line; what a start takes at that size is told below, and not in it",
        "us/line",
        figures,
        [
            Bar(f"times as much with {large} as with {small}", ratio(figures[large], figures[small]), most=MOST)
            for small, large in (each.names for each in grown)
        ],
        [
            f"the same lines in all: {bench.lines // 2000:,} for each of 2,000 files; keys in bursts of {BLOCK}",
            *(note for each in grown for note in _notes(each, costs)),
        ],
    )


def _growths(bench: Bench) -> Iterator[_Growth]:
    def following(make: Callable[[int], Following]) -> Callable[[int, Path], Cost]:
        return lambda size, room: make(size).cost(bench.corpus, bench.lines, room)

    yield _Growth("rules", 10, 1000, following(lambda size: Following(rules=size)))
    for what, job in (("keys shipped", shipping), ("keys routed", routing)):
        yield _Growth(what, 10, 10_000, _with_keys(bench, job) if bench.node else None)
    yield _Growth("files followed", 10, 2000, following(lambda size: Following(files=size)))
    yield _Growth("sources in the ledger", 10, 10_000, following(lambda size: Following(sources=size)))
    yield _Growth("archive files", 1, 64, following(lambda size: Following(files=64, services=size)))


def _with_keys(bench: Bench, job: Callable[[str, Path, int, Path], Cost]) -> Callable[[int, Path], Cost]:
    def cost(size: int, room: Path) -> Cost:
        keys = write_keys(room / "keys.log", bench.corpus, size)
        return job(bench.broker.url, keys, bench.lines, room)

    return cost


def _rival(growth: _Growth, size: int, kept: list[Cost]) -> Rival | None:
    cost = growth.cost
    if cost is None:
        return None

    def measure(room: Path) -> float:
        kept.append(cost(size, room))
        return kept[-1].cpu

    return measure


def _notes(growth: _Growth, costs: Mapping[str, Sequence[Cost]]) -> Iterator[str]:
    small, large = (costs[name] for name in growth.names)
    if not small:
        return
    fixed = " and ".join(f"{statistics.median(cost.fixed for cost in each):.2g} s" for each in (small, large))
    wall = " and ".join(f"{statistics.median(cost.wall for cost in each):.3g} us" for each in (small, large))
    yield f"{growth.what}, {growth.small:,} and {growth.large:,}: a start takes {fixed}, a line {wall} by the clock"
