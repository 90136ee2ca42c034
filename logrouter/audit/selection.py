"""What an audit is about: all of it, or the records of some days, hosts and services. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Selection:
    """Empty means everything. since, until: days (UTC, ISO 8601), both included."""

    since: str = ""
    until: str = ""
    host: str = ""
    service: str = ""

    def takes(self, day: str, service: str, host: str) -> bool:
        """Whether records that are filed under that day are meant."""
        return (
            (not self.since or day >= self.since)
            and (not self.until or day <= self.until)
            and self.host in ("", host)
            and self.service in ("", service)
        )

    def is_near(self, day: str) -> bool:
        """Whether a file of that day, in whatever time zone, may hold records that are meant."""
        around = (date.fromisoformat(day) + timedelta(days) for days in (-1, 0, 1)) if day else ()
        return not day or any(
            (not self.since or each.isoformat() >= self.since) and (not self.until or each.isoformat() <= self.until)
            for each in around
        )

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()
