"""Was anything lost, repeated, altered or put out of order? Pure: journals and an archive in, a verdict out.

A journal has the exact bytes that one incarnation of a file was given, so that a line's place in it is the position
that its record must carry. Lines are held against each other by incarnation and place, never by content alone: logs
repeat lines. A source of the archive belongs to the incarnation that its own lines name.
"""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_NAME = re.compile(rb"([a-z]+\d+\.\d+) ")


class Archived(NamedTuple):
    """A record: the source and place that it states, and the original bytes of its line."""

    source: str
    pos: int
    end: int
    line: bytes


class Place(NamedTuple):
    """A line: the incarnation (`web0.3`) and its byte offset there; offset -1 for a source that nobody wrote."""

    name: str
    pos: int


@dataclass(slots=True)
class Verdict:
    """What is wrong, line by line.

    written: lines that were to be archived.   disordered: lines at which a source goes back, or a log to an earlier
    incarnation, however many follow.
    late: of these, those that were announced.
    """

    written: int = 0
    lost: list[Place] = field(default_factory=list)
    twice: list[Place] = field(default_factory=list)
    altered: list[Place] = field(default_factory=list)
    disordered: list[Place] = field(default_factory=list)
    late: int = 0

    @property
    def wrong(self) -> dict[str, list[Place]]:
        """Each kind of damage and where it is."""
        return {
            "lost": self.lost,
            "twice": self.twice,
            "altered": self.altered,
            "out of order": self.disordered,
        }

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())


def name_of(line: bytes) -> str:
    """The incarnation that a line names, '' for lines too odd to name any."""
    found = _NAME.match(line)
    return found[1].decode() if found else ""


def lines_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line."""
    pos = 0
    for line in io.BytesIO(content):
        yield pos, line
        pos += len(line)


def judge(
    journals: Mapping[str, bytes],
    archives: Iterable[Sequence[Archived]],
    is_kept: Callable[[bytes], bool],
    late: Mapping[str, int] | None = None,
) -> Verdict:
    """Compare.

    journals: what was written, by incarnation.     archives: each archive's records in its own order.
    is_kept: whether the rules archive a line.      late: windows of a source that the router said came late.
    """
    verdict = Verdict()
    expected = {
        name: {pos: line for pos, line in lines_of(content) if is_kept(line)} for name, content in journals.items()
    }
    verdict.written = sum(map(len, expected.values()))
    archives = [list(archive) for archive in archives]
    names = _names(archives, expected)
    seen: dict[str, set[int]] = defaultdict(set)
    for archive in archives:
        for record in archive:
            name = names.get(record.source, "")
            line = expected.get(name, {}).get(record.pos)
            if line is None or (line, record.pos + len(line)) != (record.line, record.end):
                verdict.altered.append(Place(name, record.pos if name else -1))
            elif record.pos in seen[name]:
                verdict.twice.append(Place(name, record.pos))
            seen[name].add(record.pos)
    verdict.lost = [Place(name, pos) for name, lines in expected.items() for pos in lines if pos not in seen[name]]
    for source, descents in _descents(archives, names).items():
        announced = min(len(descents), (late or {}).get(source, 0))
        verdict.late += announced
        verdict.disordered += [Place(names.get(source, ""), pos) for pos in descents[announced:]]
    return verdict


def _names(archives: Iterable[Sequence[Archived]], expected: Mapping[str, object]) -> dict[str, str]:
    """Which incarnation each source is: the one that most of its lines name."""
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for archive in archives:
        for record in archive:
            if (name := name_of(record.line)) in expected:
                named[record.source][name] += 1
    return {source: counts.most_common(1)[0][0] for source, counts in named.items()}


def _descents(archives: Iterable[Sequence[Archived]], names: Mapping[str, str]) -> dict[str, list[int]]:
    """Where within an archive each source goes back, or its log does. names: of the incarnations, by source.

    What came over a connection stands for its own source: connections overlap.
    """
    descents: dict[str, list[int]] = defaultdict(list)
    for archive in archives:
        reached: dict[str, int] = {}
        incarnations: dict[str, int] = {}
        for record in archive:
            log, _, incarnation = names.get(record.source, "").rpartition(".")
            is_of_file = log and record.source != names[record.source]
            is_older = is_of_file and int(incarnation) < incarnations.get(log, 0)
            if record.pos < reached.get(record.source, 0) or is_older:
                descents[record.source].append(record.pos)
            reached[record.source] = record.end
            if is_of_file:
                incarnations[log] = int(incarnation)
    return descents
