"""The filter of commands that show records: by key patterns, severity, regex and time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logrouter.wire.record import Record
from logrouter.wire.routing_key import RANK, matcher, routing_key


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """A filter, which takes every record if it is empty.

    severity: this one and worse.   regex: searched for in the message.
    since, until: filing times in the form of `filing_time`; `until` is exclusive.
    """

    patterns: tuple[str, ...] = ()
    severity: str | None = None
    regex: Any = None
    since: str | None = None
    until: str | None = None

    def takes(self, record: Record) -> bool:
        """Report whether a record passes the filter."""
        if self.severity is not None and RANK.get(record.severity, 99) > RANK[self.severity]:
            return False
        filed = filing_time(record)
        if (self.since is not None and filed < self.since) or (self.until is not None and filed >= self.until):
            return False
        if self.patterns:
            key = routing_key(record.service, record.host, record.severity)
            if not any(matcher(pattern)(key) for pattern in self.patterns):
                return False
        return self.regex is None or self.regex.search(record.message) is not None


def filing_time(record: Record) -> str:
    """Return the time that a record is filed by, in a form that sorts by time when compared as text."""
    return (record.received or record.ts).removesuffix("Z")
