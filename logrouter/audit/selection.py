"""What an audit is about: all of it, or the records of some days, hosts and services. Pure."""

from __future__ import annotations

from dataclasses import dataclass


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
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()
