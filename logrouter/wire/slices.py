"""Slices: records of one part that are routed together, kept as the bytes in which they arrived.

A slice gives its whole body, or its lines, positions or decoded records, and computes each only on demand. Most records
pass from the broker into an archive without being decoded.
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
from logrouter.wire.record import (
    Record,
    RecordHeader,
    decode_lines,
    decode_positions,
    encode_lines,
    rfc3339,
    split_lines,
)

FOREIGN = "-"
"""The source of records that have none, because they arrived in foreign messages and not in windows."""


class _Times(msgspec.Struct):
    ts: str
    received: str | None = None


_times = msgspec.json.Decoder(_Times)


@dataclass(frozen=True)
class Slice:
    """Records of one source that share key, service, host and severity, in the order of their `pos`.

    body: the records as NDJSON.   places: the position of each record, in the same order.
    first, last: the earliest and latest filing time, in milliseconds since 1970.
    runs: the starts and the ends of the runs of adjoining records, None if they were not determined.
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
        """Whether the record arrived in a foreign message, so that its position means nothing."""
        return self.source == FOREIGN

    def __len__(self) -> int:
        return len(self.places)

    def lines(self) -> list[bytes]:
        """Return the NDJSON line of each record, with its newline."""
        return split_lines(self.body)

    def records(self) -> list[Record]:
        """Return the decoded records. One with invalid fields becomes a record whose message is its NDJSON line."""
        try:
            return decode_lines(self.body)
        except WireError:
            return [self._readable(line, place) for line, place in zip(self.lines(), self.places, strict=True)]

    def filed_at(self) -> list[str]:
        """Return the filing time of each record in RFC 3339: `received` if it has one, otherwise `ts`.

        A record without a valid time gets `first`.
        """
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
        """Return a slice of the records for which `keep` is true: None if there are none, `self` if all are kept."""
        if all(keep):
            return self
        lines = list(compress(self.lines(), keep))
        if not lines:
            return None
        return replace(self, body=b"".join(lines), places=list(compress(self.places, keep)), runs=None)


def from_part(part: Part) -> Slice:
    """Return the slice of all records of `part`. Raises WireError if the body does not match the headers."""
    places = decode_positions(part.body)
    if len(places) != part.count or part.body.count(b"\n") != part.count:
        raise WireError(f"header count is {part.count}, but the body has {len(places)} records")
    if {place.source for place in places} - {part.source, ""}:
        raise WireError(f"a record has another source than {part.source}")
    runs = _runs(places)
    if places and not part.from_ <= places[0].pos < places[-1].end <= part.to:
        raise WireError(f"a record is outside [{part.from_}, {part.to})")
    return Slice(
        part.key, part.source, part.service, part.host, part.severity, part.first, part.last, part.body, places, runs
    )


def _runs(places: Sequence[RecordHeader]) -> tuple[list[int], list[int]]:
    """Return the starts and the ends of the runs of adjoining records.

    Raises WireError if records overlap, are not in order, or have no length.
    """
    starts, ends, before = list[int](), list[int](), -1
    for place in places:
        pos = place.pos
        if pos != before:
            starts.append(pos)
            ends.append(before)
            if pos < before:
                raise WireError(f"the record at {pos} begins before {before}, where the previous one ends")
        before = place.end
        if before <= pos:
            raise WireError(f"record [{pos}, {before}) has no length")
    return starts, [*ends[1:], before] if starts else []


class Salvage(NamedTuple):
    """What remains of a part whose body does not match its headers.

    piece: the records that are valid, None if there are none.   left: the other lines.
    claimed: the positions that the other lines state, so that they do not count as missing.
    """

    piece: Slice | None
    left: bytes
    claimed: tuple[tuple[int, int], ...]


_POS, _END = re.compile(rb'(?<!\\)"pos":(\d{1,19})(?=[,}])'), re.compile(rb'(?<!\\)"end":(\d{1,19})(?=[,}])')


def salvage(part: Part) -> Salvage:
    """Return what can be kept of a part whose body does not match its headers."""
    places, kept, left = [], [], []
    before = part.from_
    for line in split_lines(part.body):
        try:
            (place,) = decode_positions(line)
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
    """Return the range that an invalid line states, if it is within the window. It then does not count as missing."""
    pos, end = _POS.search(line), _END.search(line)
    if pos is None or end is None or not part.from_ <= int(pos[1]) < int(end[1]) <= part.to:
        return None
    return int(pos[1]), int(end[1])


def from_record(key: str, record: Record) -> Slice:
    """Return a slice with this one record. Raises ValueError if the record's filing time is invalid."""
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
    """Return an RFC 3339 time in milliseconds since 1970 UTC. Raises ValueError if it is invalid or out of range."""
    found = int(datetime.fromisoformat(time).timestamp() * 1000)
    if not EARLIEST <= found <= LATEST:
        raise ValueError(f"{time} is out of range")
    return found
