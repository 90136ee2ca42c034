"""When mail goes out: a digest is open for a while, and above a number of mails per hour it is only counted. Pure.

In come records and the time, out go mails that are due; everything that must outlive the process is one small struct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from logrouter.destinations.notify.digest import Digest
from logrouter.wire.record import Record

HOUR = 3600.0
MAX_COUNTED = 500
"""Kinds of records that a summary tells apart."""


class Withheld(msgspec.Struct):
    """What was not mailed because of the cap: since when (Unix time), how many mails it would have been, and what."""

    since: float
    mails: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def total(self) -> int:
        """Records."""
        return sum(self.counts.values())

    def add(self, digest: Digest) -> None:
        """Count a digest that is not mailed."""
        self.mails += 1
        for name, count in digest.counts():
            known = name if name in self.counts or len(self.counts) < MAX_COUNTED else "other"
            self.counts[known] = self.counts.get(known, 0) + count


class Memory(msgspec.Struct):
    """What a destination remembers. sent: when mails went out within the last hour (Unix times)."""

    sent: list[float] = msgspec.field(default_factory=list)
    open: Digest | None = None
    withheld: Withheld | None = None


def gathered(note: str) -> int | None:
    """Records that a destination with this note has taken and not told of yet; None if the note cannot be read."""
    try:
        memory = msgspec.json.decode(note, type=Memory) if note else Memory()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return (memory.open.total if memory.open else 0) + (memory.withheld.total if memory.withheld else 0)


@dataclass(frozen=True, slots=True)
class Due:
    """A mail that is to go out: a digest, what was withheld before it, or both.

    until: where it is the last that the cap allows, when the next may go (Unix time).
    """

    digest: Digest | None
    withheld: Withheld | None
    until: float | None


class Pacing:
    """The pace of one destination. wait: seconds that a digest is open.   per_hour: mails at most."""

    def __init__(self, memory: Memory, wait: float, per_hour: int) -> None:
        self.memory = memory
        self._wait = wait
        self._per_hour = per_hour

    def add(self, identity: str, rule: str, records: Sequence[Record], now: float) -> None:
        """Put records into the open digest."""
        if self.memory.open is None:
            self.memory.open = Digest(opened=now)
        self.memory.open.add(identity, rule, records)

    def take(self, now: float, *, at_once: bool) -> Due | None:
        """The mail that is due now, if any."""
        memory = self.memory
        # A clock that was set back makes mails of the future: they count from now, which holds mail up for an hour.
        memory.sent = [min(sent, now) for sent in memory.sent if now - HOUR < sent]
        digest = memory.open
        if digest is not None and not (at_once or now >= digest.opened + self._wait or now < digest.opened):
            digest = None
        may = len(memory.sent) < self._per_hour
        if digest is not None:
            memory.open = None
        if digest is not None and not may:
            memory.withheld = memory.withheld or Withheld(since=now)
            memory.withheld.add(digest)
            return None
        if not may or (digest is None and memory.withheld is None):
            return None
        withheld, memory.withheld = memory.withheld, None
        memory.sent.append(now)
        return Due(digest, withheld, memory.sent[0] + HOUR if len(memory.sent) == self._per_hour else None)

    def due(self) -> float | None:
        """When something will be due even if nothing more comes (Unix time)."""
        memory = self.memory
        times = []
        if memory.open is not None:
            times.append(memory.open.opened + self._wait)
        if memory.withheld is not None:
            times.append(memory.sent[0] + HOUR if len(memory.sent) >= self._per_hour else 0.0)
        return min(times, default=None)
