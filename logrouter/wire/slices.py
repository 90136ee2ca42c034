"""Slices: the records of one part that go the same way, kept as the bytes they came in for as long as that will do.

In comes a Part (or a foreign message made into records), out go whole bodies, lines, positions or decoded records,
each made only when somebody asks. Most records pass from the broker into an archive without ever being decoded.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress
from typing import NamedTuple

import msgspec

from logrouter.errors import WireError
from logrouter.wire.batch import EARLIEST, LATEST, Part
from logrouter.wire.record import Record, RecordHeader, decode_lines, decode_places, encode_lines, rfc3339, split_lines

FOREIGN = "-"
"""The source of records that have none: foreign messages come in no windows."""


class _Times(msgspec.Struct):
    ts: str
    received: str | None = None


_times = msgspec.json.Decoder(_Times)


@dataclass(frozen=True)
class Slice:
    """Records of one source that share key, service, host and severity, in the order of their `pos`.

    body: NDJSON.   places: the positions of each record, one for one.   first, last: filing times, ms since 1970.
    runs: where runs of adjoining records begin, and where they end; None where nobody has looked.
    """

    key: str
    source: str
    service: str
    host: str
    severity: str
    first: int
    last: int
    body: bytes
    places: Sequence[RecordHeader]
    runs: tuple[list[int], list[int]] | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the record came in a message that is not ours, so that its place says nothing."""
        return self.source == FOREIGN

    def __len__(self) -> int:
        return len(self.places)

    def lines(self) -> list[bytes]:
        """Each record's NDJSON line, newline included."""
        return split_lines(self.body)

    def records(self) -> list[Record]:
        """Each record, decoded; one whose fields are not what they should be is its own line as a message."""
        try:
            return decode_lines(self.body)
        except WireError:
            return [self._readable(line, place) for line, place in zip(self.lines(), self.places, strict=True)]

    def filed_at(self) -> list[str]:
        """The filing time of each record, RFC 3339: `received` where it has one, else `ts`; `first` if neither is."""
        try:
            times = [times.received or times.ts for times in _times.decode_lines(self.body)]
            for time in times:
                milliseconds(time)
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
            times = [self._filed_at(line) for line in self.lines()]
        return times

    def _readable(self, line: bytes, place: RecordHeader) -> Record:
        try:
            return decode_lines(line)[0]
        except WireError:
            text = line.decode(errors="replace").rstrip("\n")
            return Record(
                ts=rfc3339(self.first / 1000),
                service=self.service,
                host=self.host,
                severity=self.severity,
                message=text,
                source=self.source,
                pos=place.pos,
                end=place.end,
                raw=base64.b64encode(line).decode(),
            )

    def _filed_at(self, line: bytes) -> str:
        try:
            times = _times.decode(line)
            milliseconds(times.received or times.ts)
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
            return rfc3339(self.first / 1000)
        return times.received or times.ts

    def select(self, keep: Sequence[bool]) -> Slice | None:
        """The records at which `keep` is true; this very slice for all of them, None for none."""
        if all(keep):
            return self
        lines = list(compress(self.lines(), keep))
        if not lines:
            return None
        return replace(self, body=b"".join(lines), places=list(compress(self.places, keep)), runs=None)


def from_part(part: Part) -> Slice:
    """The slice that is all of `part`. Raises WireError if the body is not what the headers say."""
    places = decode_places(part.body)
    if len(places) != part.count or part.body.count(b"\n") != part.count:
        raise WireError(f"header count is {part.count}, the body has {len(places)} records")
    if {place.source for place in places} - {part.source, ""}:
        raise WireError(f"a record is of another source than {part.source}")
    runs = _runs(places)
    if places and not part.from_ <= places[0].pos < places[-1].end <= part.to:
        raise WireError(f"a record is outside [{part.from_}, {part.to})")
    return Slice(
        part.key, part.source, part.service, part.host, part.severity, part.first, part.last, part.body, places, runs
    )


def _runs(places: Sequence[RecordHeader]) -> tuple[list[int], list[int]]:
    """Where runs of adjoining records begin, and where they end. Raises WireError if they are in no order."""
    starts, ends, before = list[int](), list[int](), -1
    for place in places:
        pos = place.pos
        if pos != before:
            starts.append(pos)
            ends.append(before)
            if pos < before:
                raise WireError(f"the record at {pos} begins before {before}, where the one before it ends")
        before = place.end
        if before <= pos:
            raise WireError(f"record [{pos}, {before}) has no length")
    return starts, [*ends[1:], before] if starts else []


class Salvage(NamedTuple):
    """What a part comes to whose body is not what its headers say.

    piece: the records that can be kept.   left: the lines that cannot.   claimed: where these say that they stood.
    """

    piece: Slice | None
    left: bytes
    claimed: tuple[tuple[int, int], ...]


_POS, _END = re.compile(rb'(?<!\\)"pos":(\d{1,19})(?=[,}])'), re.compile(rb'(?<!\\)"end":(\d{1,19})(?=[,}])')


def salvage(part: Part) -> Salvage:
    """What can be kept of a part whose body is not what its headers say."""
    places, kept, left = [], [], []
    before = part.from_
    for line in split_lines(part.body):
        try:
            (place,) = decode_places(line)
        except (WireError, ValueError):
            left.append(line)
            continue
        if line.endswith(b"\n") and place.source in (part.source, "") and before <= place.pos < place.end <= part.to:
            places.append(place)
            kept.append(line)
            before = place.end
        else:
            left.append(line)
    body = b"".join(kept)
    piece = Slice(part.key, part.source, part.service, part.host, part.severity, part.first, part.last, body, places)
    claimed = tuple(span for line in left if (span := _claimed(line, part)) is not None)
    return Salvage(piece if places else None, b"".join(left), claimed)


def _claimed(line: bytes, part: Part) -> tuple[int, int] | None:
    """Where a line stood that is no record, if it says so: what is laid aside with it is missing to nobody."""
    pos, end = _POS.search(line), _END.search(line)
    if pos is None or end is None or not part.from_ <= int(pos[1]) < int(end[1]) <= part.to:
        return None
    return int(pos[1]), int(end[1])


def from_record(key: str, record: Record) -> Slice:
    """The slice that holds one record alone."""
    filed = milliseconds(record.received or record.ts)
    return Slice(
        key=key,
        source=record.source,
        service=record.service,
        host=record.host,
        severity=record.severity,
        first=filed,
        last=filed,
        body=encode_lines([record]),
        places=[RecordHeader(pos=record.pos, end=record.end)],
    )


def milliseconds(time: str) -> int:
    """An RFC 3339 time as milliseconds since 1970 UTC. Raises ValueError for anything else."""
    found = int(datetime.fromisoformat(time).timestamp() * 1000)
    if not EARLIEST <= found <= LATEST:
        raise ValueError(f"{time} is out of reach")
    return found
