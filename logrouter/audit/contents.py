"""What the files of an archive really hold, read through from the first byte to the last commit.

In come the ledger's file states and the archive's directory; out goes, by source, how many records there are, which
positions they take, what stands there twice or out of order, and which files are not what the ledger says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from isal import isal_zlib

from logrouter.audit.selection import Selection
from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.naming import final_name, open_name
from logrouter.extents import Extents
from logrouter.ledger.ledger import FileState
from logrouter.record import split_lines

_CHUNK = 4 << 20


class _Located(msgspec.Struct):
    """What is needed of each record."""

    ts: str
    service: str
    host: str
    source: str
    pos: int
    end: int
    received: str | None = None


_records = msgspec.json.Decoder(_Located)


@dataclass(slots=True)
class Held:
    """Records of one source.

    twice: positions of those that stand there again.   disordered: how many stand behind a later one.
    """

    records: int = 0
    extents: Extents = field(default_factory=Extents)
    twice: list[int] = field(default_factory=list)
    disordered: int = 0


@dataclass(slots=True)
class Contents:
    """An archive.

    wrong: files that are not what was committed, with the reason.   removed: records in files that are kept no longer.
    unread: records in files of plain text, known by the ledger alone.   odd: records that say nothing of themselves:
    whoever published them as ours did not keep to the wire format, and they were archived as they came.
    """

    destination: str
    sources: dict[str, Held] = field(default_factory=dict)
    files: int = 0
    records: int = 0
    removed: int = 0
    unread: int = 0
    odd: int = 0
    wrong: dict[str, str] = field(default_factory=dict)


def read_contents(
    destination: str, directory: Path, files: Iterable[FileState], selection: Selection, *, is_text: bool
) -> Contents:
    """Read all files of a destination that the ledger knows."""
    contents = Contents(destination)
    last: dict[tuple[str, str], int] = {}
    for state in files:
        if state.state == "new":
            continue
        if state.state in ("expiring", "removed"):
            contents.removed += state.records
            continue
        contents.files += 1
        try:
            bodies = _committed(directory, state)
            records = _count(bodies, state) if is_text else _read(bodies, contents, selection, last, state.path)
            contents.unread += records if is_text else 0
            if records != state.records:
                contents.wrong[_name(state)] = f"it holds {records} records, {state.records} were committed"
        except (OSError, EOFError, msgspec.DecodeError, UnicodeDecodeError) as error:
            contents.wrong[_name(state)] = str(error) or type(error).__name__
        if state.state == "damaged":
            contents.wrong.setdefault(_name(state), "it was found damaged before")
    return contents


def _count(bodies: Iterable[bytes], state: FileState) -> int:
    """The records of a file of plain text: its lines have no positions, so only size and CRC can be held against it."""
    for _ in bodies:
        pass
    return state.records


def _read(
    bodies: Iterable[bytes], contents: Contents, selection: Selection, last: dict[tuple[str, str], int], path: str
) -> int:
    """Take in the records of a file, and say how many there are."""
    records = 0
    for body in bodies:
        located = _located(body)
        records += len(located)
        for record in located:
            if record is None:
                contents.odd += 1
            else:
                _take(contents, record, selection, last, path)
    return records


def _located(body: bytes) -> Sequence[_Located | None]:
    """Each record, None for those that are odd. Raises msgspec.DecodeError for what is no JSON."""
    try:
        return _records.decode_lines(body)
    except msgspec.ValidationError:
        return [_located_line(line) for line in split_lines(body)]


def _located_line(line: bytes) -> _Located | None:
    try:
        return _records.decode(line)
    except msgspec.ValidationError:
        return None


def _take(
    contents: Contents, record: _Located, selection: Selection, last: dict[tuple[str, str], int], path: str
) -> None:
    if not selection.takes((record.received or record.ts)[:10], record.service, record.host):
        return
    held = contents.sources.get(record.source)
    if held is None:
        held = contents.sources[record.source] = Held()
    contents.records += 1
    held.records += 1
    if record.source == "-":
        return  # in no window: its place says nothing
    if held.extents.touches(record.pos, record.end):
        held.twice.append(record.pos)
    held.extents.add(record.pos, record.end)
    before = last.get((path, record.source), -1)
    if record.pos < before:
        held.disordered += 1
    last[path, record.source] = max(before, record.pos)


def _committed(directory: Path, state: FileState) -> Iterator[bytes]:
    """Whole lines of what is committed. Raises OSError, EOFError where the file holds less, or something else."""
    with _opened(directory, state) as file:
        content = codec_for(state.path).reader(file)
        crc = size = 0
        rest = b""
        while size < state.size:
            chunk = content.read(min(_CHUNK, state.size - size))
            if not chunk:
                raise EOFError(f"it ends after {size} bytes uncompressed, {state.size} were committed")
            size += len(chunk)
            crc = isal_zlib.crc32(chunk, crc)
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            yield whole + newline
        if rest:
            raise EOFError("it ends within a record")
        if state.state == "finished" and content.read(1):
            raise EOFError(f"it holds more than the {state.size} bytes that were committed")
    if state.crc not in (crc, -1):
        raise EOFError(f"its content is altered: CRC {crc:08x}, {state.crc:08x} was committed")


def _opened(directory: Path, state: FileState) -> BinaryIO:
    try:
        return (directory / _name(state)).open("rb")
    except FileNotFoundError:
        if state.state != "open":
            raise
        return (directory / final_name(state.path, state.segment)).open("rb")  # it was finished this moment


def _name(state: FileState) -> str:
    name = open_name if state.state in ("open", "damaged") else final_name
    return name(state.path, state.segment)
