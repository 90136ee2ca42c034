"""Removes what was decided before from the records of a slice. Pure.

A record of several lines may be longer or shorter when a file is read again. If such a record is partly decided, those
of its physical lines are kept that are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from logrouter.wire.ranges import Ranges
from logrouter.wire.record import Record, RecordHeader, encode_lines, original, split_raw
from logrouter.wire.slices import Slice


def undecided(piece: Slice, decided: Ranges) -> tuple[Slice | None, int]:
    """Return the records, or the parts of records, that are not decided, and how many records are wholly decided."""
    repeated = sum(decided.covers(place.pos, place.end) for place in piece.places)
    touched = [decided.touches(place.pos, place.end) for place in piece.places]
    if sum(touched) == repeated:
        return piece.select([not each for each in touched]), repeated
    lines: list[bytes] = []
    places: list[RecordHeader] = []
    for line, place, is_touched, record in zip(piece.lines(), piece.places, touched, piece.records(), strict=True):
        if not is_touched:
            lines.append(line)
            places.append(place)
        for rest in remainders(record, decided.missing(place.pos, place.end)) if is_touched else ():
            lines.append(encode_lines([rest]))
            places.append(RecordHeader(rest.pos, rest.end))
    return replace(piece, body=b"".join(lines), places=places, runs=None), repeated


def remainders(record: Record, missing: Sequence[tuple[int, int]]) -> Iterator[Record]:
    """Yield a record for each of these ranges of a record.

    A redacted record no longer has the bytes of the source, so whole lines of it are kept. Where its lines do not tell
    which text belongs to a range, all of its text is kept, because text that comes twice is better than lost text.
    """
    exact, lines = original(record), record.lines or [record.pos]
    texts = record.message.split("\n")
    is_exact = len(exact) == record.end - record.pos and all(
        exact[pos - record.pos - 1 : pos - record.pos] == b"\n" for pos in lines[1:]
    )
    for start, end in missing:
        kept = [index for index, pos in enumerate(lines) if start <= pos < end]
        rest = msgspec.structs.replace(
            record, pos=start, end=end, lines=[lines[index] for index in kept] if len(kept) > 1 else None
        )
        if is_exact:
            message, raw = split_raw(exact[start - record.pos : end - record.pos])
            rest = msgspec.structs.replace(rest, message=message, raw=raw)
        elif kept and len(texts) == len(lines):
            rest = msgspec.structs.replace(rest, message="\n".join(texts[kept[0] : kept[-1] + 1]), raw=None)
        yield rest
