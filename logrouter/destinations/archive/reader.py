"""Reads records from archive files, each file as far as it can be read.

Records come in the order in which they were written. A record that does not decode is left out alone. What is left out
is reported by an event and noted in an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.path_template import final_name, open_name, segment_of
from logrouter.errors import WireError
from logrouter.observability import events
from logrouter.wire.message import MAX_BODY
from logrouter.wire.record import Record, decode_lines
from logrouter.wire.record_filter import RecordFilter, filing_time

_BATCH = 64 << 10
"""Bytes of lines that are decoded at once. They are few, because dozens of files may be open, each with a batch."""

_LONGEST, _TOO_LONG = MAX_BODY, b"[too long]"
"""The most bytes of a line, because no message holds a longer one, and what replaces the beginning of a longer line."""

_TRIES = 3
"""How often a file that its router writes to is read, because a commit meanwhile moves its end."""


class StoredRecord(NamedTuple):
    """A record in an archive file.

    time: the time to merge by, never less than that of the record before it in its file.
    line: without its line end.
    decoded: the record if it is decoded already, else None.
    """

    time: str
    line: bytes
    decoded: Record | None


@dataclass(slots=True)
class InvalidLines:
    """Lines that are not records: how many, the number of the first one (from 1), and what is wrong with it."""

    count: int = 0
    first: int = 0
    reason: str = ""

    def add(self, number: int, error: WireError) -> None:
        """Count a line. number: its number in the file."""
        if not self.count:
            self.first = number
            self.reason = str(error)
        self.count += 1


@dataclass(slots=True)
class Outcome:
    """The outcome of reading. is_whole: nothing was left out."""

    is_whole: bool = True

    def unreadable(self, path: Path, error: Exception) -> None:
        """Note and report that the rest of a file, or the content of a directory, is left out."""
        self.is_whole = False
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        events.ARCHIVE_UNREADABLE.happened(path=path, reason=reason)

    def odd(self, path: Path, odd: InvalidLines) -> None:
        """Note and report that some lines of a file are left out."""
        self.is_whole = False
        events.ARCHIVE_ODD.happened(path=path, count=odd.count, first=odd.first, reason=odd.reason)


def read_segments(paths: Sequence[Path], selection: RecordFilter, outcome: Outcome) -> Iterator[StoredRecord]:
    """Yield the selected records of all segments of one path. paths: the segments' files, in order."""
    time = ""
    for path in paths:
        for line, record in read_file(path, outcome):
            time = max(time, _time(record))
            if selection.takes(record):
                yield StoredRecord(time, line, record)


def first_time(path: Path) -> str:
    """Return the time of a file's first record, or '' if it cannot be read. No record is merged by an earlier time."""
    try:
        with _opened(path) as file:
            line = codec_for(path.name).reader(file).readline(_BATCH).removesuffix(b"\n")
    except (OSError, EOFError):
        return ""
    return next((_time(record) for _, record in decoded([line], 1, InvalidLines())), "")


def read_file(path: Path, outcome: Outcome) -> Iterator[tuple[bytes, Record]]:
    """Yield each record of a file with its line."""
    odd, number = InvalidLines(), 1
    try:
        for batch in _batches_of(path):
            yield from decoded(batch, number, odd)
            number += len(batch)
    except (OSError, EOFError) as error:
        outcome.unreadable(path, error)
    if odd.count:
        outcome.odd(path, odd)


def decoded(lines: Sequence[bytes], number: int, odd: InvalidLines) -> list[tuple[bytes, Record]]:
    """Return the lines that are records, each with its record, and add the others to `odd`.

    number: the number of the first line in its file, from 1.
    """
    try:
        records = decode_lines(b"\n".join(lines))
    except WireError:
        records = []
    if len(records) == len(lines):
        return list(zip(lines, records, strict=True))
    found = []
    for at, line in enumerate(lines, number):
        try:
            found.append((line, record_of(line)))
        except WireError as error:
            odd.add(at, error)
    return found


def batches(content: BufferedReader) -> Iterator[list[bytes]]:
    """Yield all lines without their line ends, in batches.

    Raises OSError and EOFError as reading the content does, after all lines before, and EOFError for a truncated last
    line.
    """
    begun, size = list[bytes](), 0
    while chunk := content.read1(_BATCH):
        whole, newline, rest = chunk.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, whole]).split(b"\n")
            begun, size = [], 0
        begun.append(rest)
        size += len(rest)
        if size > _LONGEST:
            begun, size = [_TOO_LONG], 0
    if last := b"".join(begun):
        try:
            record_of(last)
        except WireError as error:
            raise EOFError("it ends within a record") from error
        yield [last]


def _batches_of(path: Path) -> Iterator[list[bytes]]:
    """Yield all lines of a file. If reading an open file fails, it is read again, without the lines yielded before."""
    yielded = 0
    for left in reversed(range(_TRIES if _is_open(path) else 1)):
        known = yielded
        try:
            with _opened(path) as file:
                for batch in batches(cast("BufferedReader", codec_for(path.name).reader(file))):
                    new, known = batch[known:], max(0, known - len(batch))
                    yielded += len(new)
                    yield new
        except (OSError, EOFError):
            if not left:
                raise
        else:
            return


def record_of(line: bytes) -> Record:
    """Return the one record in a line. Raises WireError if the line is not exactly one record."""
    records = decode_lines(line)
    if len(records) != 1:
        raise WireError("it is blank" if not records else "it has more than one record")
    return records[0]


def _time(record: Record) -> str:
    """Return the time to merge a record by, or '' if it has no time."""
    time = filing_time(record)
    return time if time[:1].isdecimal() else ""


def _is_open(path: Path) -> bool:
    return path.name == open_name(*segment_of(path.name))


def _opened(path: Path) -> BinaryIO:
    """Open a file, by its final name if it was finished meanwhile. Raises OSError."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if not _is_open(path):
            raise
        return path.with_name(final_name(*segment_of(path.name))).open("rb")
