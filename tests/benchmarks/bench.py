"""One run of the bench: its directory, lines, broker and rounds; and rivals in turn."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rabbitmq_node import RabbitNode

from benchmarks.figures import Figure
from benchmarks.lines import write_lines

Rival = Callable[[Path], float]
"""Measures once, in an empty directory: what the row is in units of."""


@dataclass(frozen=True, slots=True)
class Bench:
    """directory: for all that is written.   lines: how many.   rounds: how often each rival is measured.

    corpus: a file of so many lines.   node: the broker of this run alone; None where RabbitMQ is not installed.
    """

    directory: Path
    lines: int
    rounds: int
    corpus: Path
    node: RabbitNode | None

    @property
    def broker(self) -> RabbitNode:
        """The broker, for rows that need one. Raises RuntimeError where there is none."""
        if self.node is None:
            raise RuntimeError("RabbitMQ is not installed")
        return self.node

    def in_turn(self, rivals: Mapping[str, Rival | None]) -> dict[str, Figure | None]:
        """Measure all rivals once, then all again, and so on (A B A B); None is one that is not installed."""
        values: dict[str, list[float]] = {name: [] for name, measure in rivals.items() if measure}
        for number in range(self.rounds):
            for name, measure in rivals.items():
                if measure is not None:
                    with self.room() as room:
                        values[name].append(measure(room))
                    say(f"  {name}: round {number + 1} of {self.rounds}: {values[name][-1]:,.4g}")
        return {name: Figure(tuple(values[name])) if name in values else None for name in rivals}

    @contextmanager
    def room(self) -> Iterator[Path]:
        """An empty directory, gone afterwards."""
        room = self.directory / "room"
        room.mkdir()
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)


@contextmanager
def opened(directory: Path, lines: int, rounds: int) -> Iterator[Bench]:
    """A run in a directory, with a broker of its own where there can be one."""
    corpus = directory / "corpus.log"
    write_lines(corpus, lines)
    if not RabbitNode.installed():
        yield Bench(directory, lines, rounds, corpus, None)
        return
    with RabbitNode(directory / "broker") as node:
        yield Bench(directory, lines, rounds, corpus, node)


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # it is a program
