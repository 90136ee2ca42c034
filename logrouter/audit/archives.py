"""The contents of archive files, read from the first byte to the last commit.

Reading makes runs of the records that it finds, counts records by day, and reports each file that differs from what the
ledger says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import msgspec
from isal import isal_zlib

from logrouter.audit.findings import ALTERED, Finding, Findings
from logrouter.audit.runs import Run, Running, are_behind
from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.path_template import final_name, open_name
from logrouter.ledger.entry import FileState
from logrouter.ledger.selection import Selection
from logrouter.wire.record import split_lines
from logrouter.wire.slices import FOREIGN
from logrouter.wire.statement import Position

_CHUNK = 4 << 20

_MOST_RECORDS = 1 << 20
"""Records in open runs, which are kept in memory. An open run takes as much memory as _RUN_RECORDS records."""

_RUN_RECORDS = 16

_MOST_DAYS = 100_000
"""Days that are counted. The limit is needed because a publisher can write anything in place of a day."""


class _Located(msgspec.Struct):
    """The fields that are read of each record."""

    ts: str
    service: str
    host: str
    source: str
    pos: Position
    end: Position
    received: str | None = None


_records = msgspec.json.Decoder(_Located)
_names = attrgetter("source", "service", "host")


@dataclass(slots=True)
class ArchiveContents:
    """The contents of an archive.

    records: selected records.   days: the same by the day under which they are filed.
    foreign: those of them that belong to no source.   removed: records in files that were removed since the snapshot.
    unread: records in files of plain text, whose number is known from the ledger alone.
    odd: records without the fields of the wire format. Their publisher marked them as ours, and they were archived as
    they came.
    wrong: files that differ from what was committed.
    """

    destination: str
    files: int = 0
    records: int = 0
    foreign: int = 0
    removed: int = 0
    unread: int = 0
    odd: int = 0
    wrong: int = 0
    days: Counter[str] = field(default_factory=Counter)


class ArchiveReader:
    """Reads the files of a destination that are in a snapshot of the ledger.

    now: returns the present state of a file, None if the ledger no longer has it.   keep: receives each run with its
    source.   previous: returns the source before another in its log, '' if none.
    """

    def __init__(
        self,
        directory: Path,
        selection: Selection,
        findings: Findings,
        now: Callable[[FileState], FileState | None],
        keep: Callable[[str, Run], None],
        *,
        previous: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._directory = directory
        self._selection = selection
        self._findings = findings
        self._now = now
        self._keep = keep
        self._previous = previous
        self._running: dict[str, Running] = {}
        self._in_hand = 0
        self._path = self._begun = 0

    def read(self, destination: str, files: Iterable[FileState], *, is_text: bool) -> ArchiveContents:
        """Return the contents of `files`. The segments of a path must stand together. is_text: files are plain text."""
        contents = ArchiveContents(destination)
        for _, segments in groupby(files, key=attrgetter("path")):
            self._path += 1
            for state in segments:
                self._read_file(contents, state, is_text=is_text)
            self._let_go()
        return contents

    def _read_file(self, contents: ArchiveContents, state: FileState, *, is_text: bool) -> None:
        records, reason = 0, ""
        try:
            bodies = _committed(self._directory, state)
            records = _read_text(bodies, state) if is_text else self._take_all(contents, bodies)
            if records != state.records:
                reason = f"it holds {records} records, but {state.records} were committed"
        except FileNotFoundError as error:
            if self._is_removed(state):
                contents.removed += state.records
                return
            reason = str(error)
        except (OSError, EOFError, msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = str(error) or type(error).__name__
        contents.files += 1
        contents.unread += records if is_text else 0
        if state.state == "damaged":
            reason = reason or "the router found it damaged"
        if reason:
            contents.wrong += 1
            self._findings.add(Finding(ALTERED, 1, f"{contents.destination}: {_name(state)}: {reason}"))

    def _is_removed(self, state: FileState) -> bool:
        """Report whether the file was removed since the snapshot."""
        now = self._now(state)
        return now is None or now.state in ("expiring", "removed")

    def _take_all(self, contents: ArchiveContents, bodies: Iterable[bytes]) -> int:
        """Add the records of a file to `contents` and to the runs, and return how many there are."""
        records = 0
        for body in bodies:
            found = _located(body)
            located = [each for each in found if each is not None]
            records += len(found)
            contents.odd += len(found) - len(located)
            for (source, service, host), together in groupby(located, key=_names):
                for day, those in groupby(together, key=_day):
                    if self._selection.takes(day, service, host):
                        self._take(contents, source, day, list(those))
        return records

    def _take(self, contents: ArchiveContents, source: str, day: str, located: Sequence[_Located]) -> None:
        contents.records += len(located)
        if day in contents.days or len(contents.days) < _MOST_DAYS:
            contents.days[day] += len(located)
        if source == FOREIGN:  # its position says nothing, because it came in no window
            contents.foreign += len(located)
            return
        starts, stops = [each.pos for each in located], [each.end for each in located]
        if not are_behind(starts, stops):
            for start, stop in zip(starts, stops, strict=True):
                self._extend(source, [start], [stop], day)
        else:
            self._extend(source, starts, stops, day)

    def _extend(self, source: str, starts: Sequence[int], stops: Sequence[int], day: str) -> None:
        running = self._running.get(source)
        if running is not None and starts[0] < running.stop:
            self._end(source)
            running = None
        if running is None:
            self._end(self._previous(source))  # so that records of it behind this one are a run of their own
            running = self._running[source] = Running(self._path, self._begun, starts[0])
            self._begun += 1
            self._in_hand += _RUN_RECORDS
        running.extend(starts, stops, day)
        self._in_hand += len(starts)
        if self._in_hand > _MOST_RECORDS:
            self._let_go()

    def _end(self, source: str) -> None:
        running = self._running.pop(source, None)
        if running is not None:
            self._keep(source, running.run())

    def _let_go(self) -> None:
        for source, running in self._running.items():
            self._keep(source, running.run())
        self._running.clear()
        self._in_hand = 0


def _day(located: _Located) -> str:
    return (located.received or located.ts)[:10]


def _read_text(bodies: Iterable[bytes], state: FileState) -> int:
    """Read a file of plain text, and return how many records were committed.

    Its lines have no positions, so `_committed` can only compare its size and CRC.
    """
    for _ in bodies:
        pass
    return state.records


def _located(body: bytes) -> Sequence[_Located | None]:
    """Return the records of `body`, None for each odd one. Raises msgspec.DecodeError if it is not JSON."""
    try:
        return _records.decode_lines(body)
    except (msgspec.ValidationError, RecursionError):
        return [_located_line(line) for line in split_lines(body)]


def _located_line(line: bytes) -> _Located | None:
    try:
        return _records.decode(line)
    except (msgspec.ValidationError, RecursionError):
        return None


def _committed(directory: Path, state: FileState) -> Iterator[bytes]:
    """Yield the committed content in whole lines. Raises OSError, or EOFError if the file holds anything else."""
    with _opened(directory, state) as file:
        content = codec_for(state.path).reader(file)
        crc = size = 0
        rest = b""
        while size < state.size:
            chunk = content.read(min(_CHUNK, state.size - size))
            if not chunk:
                raise EOFError(f"it ends after {size} uncompressed bytes, but {state.size} were committed")
            size += len(chunk)
            crc = isal_zlib.crc32(chunk, crc)
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            yield whole + newline
        if rest:
            raise EOFError("it ends within a record")
        if state.state == "finished" and content.read(1):
            raise EOFError(f"it holds more than the {state.size} bytes that were committed")
    if state.crc not in (crc, -1):
        raise EOFError(f"its content is altered: its CRC is {crc:08x}, but {state.crc:08x} was committed")


def _opened(directory: Path, state: FileState) -> BinaryIO:
    try:
        return (directory / _name(state)).open("rb")
    except FileNotFoundError:
        if state.state != "open":
            raise
        return (directory / final_name(state.path, state.segment)).open("rb")  # it was finished since the snapshot


def _name(state: FileState) -> str:
    name = open_name if state.state in ("open", "damaged") else final_name
    return name(state.path, state.segment)
