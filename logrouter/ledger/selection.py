"""The records that an audit covers: all of them, or those of certain days, hosts and services. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of records. Empty fields select everything. since, until: days (UTC, ISO 8601), both inclusive."""

    since: str = ""
    until: str = ""
    host: str = ""
    service: str = ""

    def takes(self, day: str, service: str, host: str) -> bool:
        """Report whether records with these names, filed under that day, are selected."""
        return (
            (not self.since or day >= self.since)
            and (not self.until or day <= self.until)
            and self.host in ("", host)
            and self.service in ("", service)
        )

    @property
    def near(self) -> tuple[str, str]:
        """The first and last day of the files that may hold selected records, in whatever time zone files are named."""
        return _moved(self.since, -1) if self.since else "", _moved(self.until, 1) if self.until else "~"

    @property
    def is_all(self) -> bool:
        """Whether all records are selected."""
        return self == Selection()

    @property
    def is_recent(self) -> bool:
        """Whether all records since some day are selected."""
        return bool(self.since) and self == Selection(self.since)


def _moved(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days)).isoformat()
    except OverflowError:
        return day
