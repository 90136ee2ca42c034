"""Parts of windows whose lines are known by their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from logrouter.wire.batch import Part
from logrouter.wire.record import Record, encode_lines

SERVICE, HOST = "app", "h1"


def part(from_: int, to: int, source: str = "src", number: int = 0, keys: Sequence[str] = ("app.h1.info",)) -> Part:
    """Lines [from_, to), ten bytes each; with several keys every so-manyth line."""
    records = [
        Record(ts="2026-11-22T10:00:00Z", service=SERVICE, host=HOST, severity="info", message=f"line {line:04}",
               source=source, pos=10 * line, end=10 * line + 10)
        for line in range(from_, to)
        if line % len(keys) == number
    ]  # fmt: skip
    return Part(
        source=source, start=0, from_=10 * from_, to=10 * to, part=number, keys=tuple(keys), service=SERVICE, host=HOST,
        severity="info", count=len(records), first=1795341600000, last=1795341600000, body=encode_lines(records),
    )  # fmt: skip
