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

    @property
    def near(self) -> tuple[str, str]:
        """The first and last day of files that may hold records that are meant, in whatever time zone."""
        return _moved(self.since, -1) if self.since else "", _moved(self.until, 1) if self.until else "~"

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    @property
    def is_recent(self) -> bool:
        """Whether it is all from some day on."""
        return bool(self.since) and self == Selection(self.since)


def _moved(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days)).isoformat()
    except OverflowError:
        return day
