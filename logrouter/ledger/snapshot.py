"""All that a ledger holds at one moment, read while its router goes on writing.

In comes a state directory, out goes frozen data; nothing is locked and nothing written.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec

from logrouter.errors import StateError
from logrouter.extents import Extents
from logrouter.ledger.ledger import INGRESS, AsideState, Counted, FileState, ledger_path
from logrouter.ledger.schema import VERSION
from logrouter.state import is_locked
from logrouter.statement import SourceStatement, Statement


@dataclass(frozen=True, slots=True)
class SourceDecided:
    """What the router decided of a source. repeated: records that came again.   late: windows out of their order."""

    extents: Extents
    repeated: int
    late: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ledger. sources, stated: by source.   statements: the last of each process, oldest first.

    stated_at: Unix time of what was stated.   notes: what destinations keep, by name.   taken_at: Unix time.
    outgoing: destinations with notifications that the broker may not have yet.   aside: what waits for destinations
    that are set aside.   is_running: whether a router has the ledger.
    """

    sources: Mapping[str, SourceDecided]
    counts: Mapping[Counted, int]
    files: tuple[FileState, ...]
    stated: Mapping[str, SourceStatement]
    stated_at: Mapping[str, float]
    statements: tuple[Statement, ...]
    notes: Mapping[str, str]
    outgoing: frozenset[str]
    aside: Mapping[str, AsideState]
    is_running: bool
    taken_at: float


def read_snapshot(directory: Path, instance: str) -> Snapshot:
    """The ledger of an instance as it is now. Raises StateError where there is none, or one of another version."""
    path = ledger_path(directory, instance)
    if not path.exists():
        raise StateError(f"there is no ledger {path}; give the --state and --instance of the router")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise StateError(f"{path} is of version {version}, this logrouter reads {VERSION}; start its router once")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")  # one moment for all of it
        return _read(connection, is_running=is_locked(directory / f"{instance}.lock"))
    except sqlite3.Error as error:
        raise StateError(f"{path} cannot be read: {error}") from error
    finally:
        connection.close()


def _read(connection: sqlite3.Connection, *, is_running: bool) -> Snapshot:
    sources = connection.execute("SELECT source, extents, repeated, late FROM sources WHERE stage = ?", (INGRESS,))
    counts = connection.execute("SELECT source, destination, day, service, host, records FROM counts")
    names = ", ".join(column.name for column in fields(FileState))
    files = connection.execute(f"SELECT {names} FROM files ORDER BY destination, path, segment")  # noqa: S608  # our own columns
    stated = connection.execute("SELECT source, at, statement FROM stated").fetchall()
    statements = connection.execute("SELECT statement FROM statements ORDER BY started")
    return Snapshot(
        sources={
            source: SourceDecided(Extents(json.loads(ranges)), repeated, late)
            for source, ranges, repeated, late in sources
        },
        counts={Counted(*row[:-1]): row[-1] for row in counts},
        files=tuple(FileState(*row) for row in files),
        stated={source: msgspec.json.decode(text, type=SourceStatement) for source, _, text in stated},
        stated_at={source: at for source, at, _ in stated},
        aside={
            name: AsideState(*state)
            for name, *state in connection.execute("SELECT destination, length, taken, records FROM aside").fetchall()
        },
        is_running=is_running,
        taken_at=time.time(),
        outgoing=frozenset(
            name
            for (name,) in connection.execute("SELECT destination FROM outgoing WHERE notifications != x''").fetchall()
        ),
        notes=dict(connection.execute("SELECT destination, note FROM notes").fetchall()),
        statements=tuple(msgspec.json.decode(text, type=Statement) for (text,) in statements),
    )
