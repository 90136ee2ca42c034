"""Decides when mail is sent: each digest stays open for a while, and digests above the hourly limit are only counted.

Pure: time is a parameter, and everything that must outlive the process is in one small struct, `Memory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from logrouter.destinations.notify.digest import Digest
from logrouter.wire.record import Record

HOUR = 3600.0
MAX_COUNTED = 500
"""The most labels that a summary counts separately."""


class Withheld(msgspec.Struct):
    """A summary of the digests that were not mailed because of the hourly limit.

    since: when the first of them was due (Unix time).
    mails: the number of digests.
    counts: the number of records by label, as in `Digest.counts`.
    """

    since: float
    mails: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of records."""
        return sum(self.counts.values())

    def add(self, digest: Digest) -> None:
        """Add a digest that is not mailed."""
        self.mails += 1
        for name, count in digest.counts():
            known = name if name in self.counts or len(self.counts) < MAX_COUNTED else "other"
            self.counts[known] = self.counts.get(known, 0) + count


class Memory(msgspec.Struct):
    """The state of a destination. sent: when the mails of the last hour were sent (Unix times)."""

    sent: list[float] = msgspec.field(default_factory=list)
    open: Digest | None = None
    withheld: Withheld | None = None


def gathered(note: str) -> int | None:
    """Return how many gathered records of a destination are not mailed yet, or None if its note cannot be read."""
    try:
        memory = msgspec.json.decode(note, type=Memory) if note else Memory()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return (memory.open.total if memory.open else 0) + (memory.withheld.total if memory.withheld else 0)


@dataclass(frozen=True, slots=True)
class Due:
    """The content of a mail that is due: a digest, a summary of the digests withheld before it, or both.

    until: if this mail reaches the hourly limit, when the next mail may be sent (Unix time), else None.
    """

    digest: Digest | None
    withheld: Withheld | None
    until: float | None


class Pacing:
    """The pacing of one destination.

    wait: the seconds for which a digest stays open.
    per_hour: the most mails within an hour.
    """

    def __init__(self, memory: Memory, wait: float, per_hour: int) -> None:
        self.memory = memory
        self._wait = wait
        self._per_hour = per_hour

    def add(self, identity: str, rule: str, records: Sequence[Record], now: float) -> None:
        """Add records to the open digest, and open one if there is none."""
        if self.memory.open is None:
            self.memory.open = Digest(opened=now)
        self.memory.open.add(identity, rule, records)

    def take(self, now: float, *, at_once: bool) -> Due | None:
        """Remove and return the mail that is due now, if any."""
        memory = self.memory
        # If the clock was set back, mails were sent in the future. They count from now, which delays mail by an hour
        # at most.
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
        """Return when a mail will be due if no more records come (Unix time), or None if never."""
        memory = self.memory
        times = []
        if memory.open is not None:
            times.append(memory.open.opened + self._wait)
        if memory.withheld is not None:
            times.append(memory.sent[0] + HOUR if len(memory.sent) >= self._per_hour else 0.0)
        return min(times, default=None)
