"""Archive files back to records, each file as far as it can be read.

The paths of one file's segments arrive, stored records leave in the order in which they were written. A record that
does not decode hides nothing but itself; what is left out is named, and noted in an `Outcome`.
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
"""Bytes of lines that are decoded at once: some dozens of files are open at a time, and each holds a batch."""

_LONGEST, _TOO_LONG = MAX_BODY, b"[too long]"
"""Bytes of a line, for no message holds a longer one; and what stands for the beginning of one that is longer."""

_TRIES = 3
"""To read a file to its end while its router writes to it: a commit in that moment moves the end."""


class StoredRecord(NamedTuple):
    """A record's line, without its end.   decoded: the record, where somebody has decoded it by now.

    time: what it is merged by, never less than that of the line before it in its file.
    """

    time: str
    line: bytes
    decoded: Record | None


@dataclass(slots=True)
class Odd:
    """Lines that are no records: how many, the number of the first (from 1), and what is wrong with that."""

    count: int = 0
    first: int = 0
    reason: str = ""

    def add(self, number: int, error: WireError) -> None:
        """This line is one more."""
        if not self.count:
            self.first = number
            self.reason = str(error)
        self.count += 1


@dataclass(slots=True)
class Outcome:
    """How a reading went.   is_whole: nothing was left out."""

    is_whole: bool = True

    def unreadable(self, path: Path, error: Exception) -> None:
        """The rest of a file, or what is in a directory, is left out."""
        self.is_whole = False
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        events.ARCHIVE_UNREADABLE.happened(path=path, reason=reason)

    def odd(self, path: Path, odd: Odd) -> None:
        """Some lines of a file are left out."""
        self.is_whole = False
        events.ARCHIVE_ODD.happened(path=path, count=odd.count, first=odd.first, reason=odd.reason)


def read_segments(paths: Sequence[Path], selection: RecordFilter, outcome: Outcome) -> Iterator[StoredRecord]:
    """The selected records of all segments of one path, from the first segment to the last."""
    time = ""
    for path in paths:
        for line, record in read_file(path, outcome):
            time = max(time, _time(record))
            if selection.takes(record):
                yield StoredRecord(time, line, record)


def first_time(path: Path) -> str:
    """The time of a file's first record: none is merged before it. '' where that cannot be told."""
    try:
        with _opened(path) as file:
            line = codec_for(path.name).reader(file).readline(_BATCH).removesuffix(b"\n")
    except (OSError, EOFError):
        return ""
    return next((_time(record) for _, record in decoded([line], 1, Odd())), "")


def read_file(path: Path, outcome: Outcome) -> Iterator[tuple[bytes, Record]]:
    """Each record of a file with its line."""
    odd, number = Odd(), 1
    try:
        for batch in _batches_of(path):
            yield from decoded(batch, number, odd)
            number += len(batch)
    except (OSError, EOFError) as error:
        outcome.unreadable(path, error)
    if odd.count:
        outcome.odd(path, odd)


def decoded(lines: Sequence[bytes], number: int, odd: Odd) -> list[tuple[bytes, Record]]:
    """The lines that are records, with these; the first has that number, and those that are none are added to `odd`."""
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
    """All lines without their ends, some at a time.

    Raises OSError, EOFError where the content does, after all that stands before; EOFError for a last line cut short.
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
    """All lines of a file. One that is being written is read again where it fails, without what was given before."""
    given = 0
    for left in reversed(range(_TRIES if _is_open(path) else 1)):
        known = given
        try:
            with _opened(path) as file:
                for batch in batches(cast("BufferedReader", codec_for(path.name).reader(file))):
                    new, known = batch[known:], max(0, known - len(batch))
                    given += len(new)
                    yield new
        except (OSError, EOFError):
            if not left:
                raise
        else:
            return


def record_of(line: bytes) -> Record:
    """The one record in a line. Raises WireError."""
    records = decode_lines(line)
    if len(records) != 1:
        raise WireError("it is blank" if not records else "it holds more than one record")
    return records[0]


def _time(record: Record) -> str:
    """By what a record is merged; '' where it states no time."""
    time = filing_time(record)
    return time if time[:1].isdecimal() else ""


def _is_open(path: Path) -> bool:
    return path.name == open_name(*segment_of(path.name))


def _opened(path: Path) -> BinaryIO:
    """The file, by its final name where it has got that meanwhile. Raises OSError."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if not _is_open(path):
            raise
        return path.with_name(final_name(*segment_of(path.name))).open("rb")
