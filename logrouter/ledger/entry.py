"""What the ledger is told and tells: entries, counts, the states of files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

from logrouter.ledger.lives import Life
from logrouter.ledger.losses import MissingRange
from logrouter.wire.ranges import Ranges
from logrouter.wire.statement import Statement

DAY = 86_400
"""Seconds. Days of the ledger are counted since 1970, UTC."""

DECIDED = ""
"""In place of a destination: what is counted once for each record, wherever it goes."""

LIFE = "~"
"""Between a source and the life of its state directory that it is of, where that is not the first."""

INGRESS = ""
"""The stage of the router's own queue; that of records gathered for a destination has the destination's name."""


def ledger_path(directory: Path, instance: str) -> Path:
    """Where the ledger of an instance is."""
    return directory / f"{instance}.ledger"


class Counted(NamedTuple):
    """What records are counted by: their source, where they went, the day they are filed under (UTC), and names."""

    source: str
    destination: str
    day: str
    service: str
    host: str


class AsideState(NamedTuple):
    """The file of a destination that is set aside: bytes committed, bytes taken of these, records that wait."""

    length: int = 0
    taken: int = 0
    records: int = 0

    def __add__(self, other: object) -> AsideState:
        """What it comes to when so much is added."""
        assert isinstance(other, AsideState)
        return AsideState(self.length + other.length, self.taken + other.taken, self.records + other.records)


@dataclass(frozen=True, slots=True)
class FileState:
    """An archive file as far as it is committed.

    path: below the archive's directory, as the template gave it.   segment: 1, 2, ... of that path.
    state: new (nothing is committed), open, finishing, finished, expiring, removed; or damaged.
    day: the filing day in the path, '' if none.
    length: bytes of the file up to the end of the last commit, without the member's trailer.
    member_crc, member_size: CRC-32 and length of what the last member holds uncompressed: they close it at any commit.
    size: uncompressed bytes of the whole file.   records, commits: how many are in it.
    crc: CRC-32 of the whole file uncompressed, -1 where an older version did not note it.
    """

    destination: str
    path: str
    segment: int
    state: str = "open"
    day: str = ""
    length: int = 0
    member_crc: int = 0
    member_size: int = 0
    size: int = 0
    records: int = 0
    commits: int = 0
    crc: int = 0


FILE_COLUMNS = ", ".join(column.name for column in fields(FileState))


@dataclass(slots=True)
class LedgerEntry:
    """What one commit settles: ranges decided, records counted and repeated, files as they are now, ids seen.

    shared: the sources of windows of which other instances take some parts.
    chains: of sources, the one before in their log, and up to where that was read when they began.
    seen: ids of messages that come in no windows, and the Unix time.   notes: what a destination must not forget.
    outgoing: notifications made of what it has forgotten with this entry, b"" once the broker has them.
    statements: what processes said of themselves.   aside: what is added to the files of destinations set aside.
    inline_again: destinations whose file is to be forgotten.   lives, owners: of state directories and sources.
    missing: what the broker lost.   whole: sources of which all that has come.   healed: records that came with it.
    """

    decided: dict[tuple[str, str], Ranges] = field(default_factory=dict)
    repeated: dict[tuple[str, str], int] = field(default_factory=dict)
    late: dict[tuple[str, str], int] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    chains: dict[str, tuple[str, int]] = field(default_factory=dict)
    counts: dict[Counted, int] = field(default_factory=dict)
    files: list[FileState] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    outgoing: dict[str, bytes] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    aside: dict[str, AsideState] = field(default_factory=dict)
    inline_again: list[str] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    missing: list[MissingRange] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    healed: int = 0

    def add_decided(self, stage: str, source: str, ranges: Iterable[tuple[int, int]]) -> None:
        """These ranges of `source` are decided with this entry."""
        extents = self.decided.setdefault((stage, source), Ranges())
        for start, end in ranges:
            extents.add(start, end)
