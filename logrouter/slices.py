"""Slices: the records of one part that go the same way, kept as the bytes they came in for as long as that will do.

In comes a Part (or a foreign message made into records), out go whole bodies, lines, positions or decoded records,
each made only when somebody asks. Most records pass from the broker into an archive without ever being decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress

import msgspec

from logrouter.batch import Part
from logrouter.errors import WireError
from logrouter.record import Place, Record, decode_lines, decode_places, encode_lines

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
    """

    key: str
    source: str
    service: str
    host: str
    severity: str
    first: int
    last: int
    body: bytes
    places: Sequence[Place]

    @property
    def is_foreign(self) -> bool:
        """Whether the record came in a message that is not ours, so that its place says nothing."""
        return self.source == FOREIGN

    def __len__(self) -> int:
        return len(self.places)

    def lines(self) -> list[bytes]:
        """Each record's NDJSON line, newline included."""
        return self.body.splitlines(keepends=True)

    def records(self) -> list[Record]:
        """Each record, decoded."""
        return decode_lines(self.body)

    def filed_at(self) -> list[str]:
        """The filing time of each record, RFC 3339: `received` where it has one, else `ts`."""
        return [times.received or times.ts for times in _times.decode_lines(self.body)]

    def select(self, keep: Sequence[bool]) -> Slice | None:
        """The records at which `keep` is true; this very slice for all of them, None for none."""
        if all(keep):
            return self
        lines = list(compress(self.lines(), keep))
        return replace(self, body=b"".join(lines), places=list(compress(self.places, keep))) if lines else None


def from_part(part: Part) -> Slice:
    """The slice that is all of `part`. Raises WireError if the body is not what the headers say."""
    places = decode_places(part.body)
    if len(places) != part.count or part.body.count(b"\n") != part.count:
        raise WireError(f"header count is {part.count}, the body has {len(places)} records")
    before = part.from_
    for place in places:
        if not before <= place.pos <= place.end <= part.to:
            raise WireError(f"record [{place.pos}, {place.end}) is out of order or outside [{part.from_}, {part.to})")
        before = place.end
    return Slice(
        part.key, part.source, part.service, part.host, part.severity, part.first, part.last, part.body, places
    )


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
        places=[Place(pos=record.pos, end=record.end)],
    )


def milliseconds(time: str) -> int:
    """An RFC 3339 time as milliseconds since 1970 UTC. Raises ValueError for anything else."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)
