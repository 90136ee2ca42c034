"""The values that the ledger stores and returns: entries, counts and the states of archive files."""

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
"""Seconds in a day. The ledger counts days since 1970, in UTC."""

DECIDED = ""
"""Stands for a destination in counts: each record is counted here once, wherever it goes."""

LIFE = "~"
"""Separates a source from the life of its state directory, in the name of a source that is not of the first life."""

INGRESS = ""
"""The stage of the router's own queue. The stage of records gathered for a destination has the destination's name."""


def ledger_path(directory: Path, instance: str) -> Path:
    """Return the path of an instance's ledger in a state directory."""
    return directory / f"{instance}.ledger"


class Counted(NamedTuple):
    """The key by which records are counted. day: the day (UTC, ISO 8601) under which they are filed."""

    source: str
    destination: str
    day: str
    service: str
    host: str


class AsideState(NamedTuple):
    """The file in which records wait for a destination that is set aside.

    length: bytes committed.   taken: bytes of these that have been read back.   records: how many wait.
    """

    length: int = 0
    taken: int = 0
    records: int = 0

    def __add__(self, other: object) -> AsideState:
        assert isinstance(other, AsideState)
        return AsideState(self.length + other.length, self.taken + other.taken, self.records + other.records)


@dataclass(frozen=True, slots=True)
class FileState:
    """The committed part of an archive file.

    path: below the archive's directory, as the template gave it.   segment: 1, 2, ... of that path.
    state: new (nothing is committed), open, finishing, finished, expiring, removed, or damaged.
    day: the filing day in the path, '' if there is none.
    length: bytes of the file up to the end of the last commit, without the trailer of the last member.
    member_crc, member_size: CRC-32 and length of the uncompressed last member. Its trailer is made from them at each
    commit.
    size: uncompressed bytes of the whole file.   records, commits: how many are in it.
    crc: CRC-32 of the whole uncompressed file, -1 if an older version did not note it.
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
    """Everything that one commit of the router writes to the ledger.

    decided: ranges, repeated: records, late: windows, each by (stage, source).
    shared: sources with windows of which other instances take parts.
    chains: by source, the source before it in its log, and the position up to which that was read when this one began.
    files: archive files as they are now.   seen: the Unix time by id of each message that came in no window.
    notes: by destination, what it must not forget.
    outgoing: by destination, notifications made from what this entry removes from its note, b"" once confirmed.
    aside: what is added to the files of destinations that are set aside.   inline_again: those whose file is used up.
    lives: by name of a life of a state directory.   owners: users by source.
    missing: ranges that the broker lost.   whole: sources of which all such ranges have come.
    healed: records that came with them.
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
        """Add ranges of `source` that are decided with this entry."""
        extents = self.decided.setdefault((stage, source), Ranges())
        for start, end in ranges:
            extents.add(start, end)
