"""Check the names of severities, and recognize common misspellings."""

from __future__ import annotations

from logrouter.config.mistakes import did_you_mean
from logrouter.wire.routing_key import RANK, SEVERITIES

SPELLINGS = {"err": "error", "warn": "warning", "critical": "crit", "fatal": "crit", "emergency": "emerg",
              "panic": "emerg", "information": "info", "trace": "debug"}  # fmt: skip


def severity_problem(severity: str) -> tuple[str, str] | None:
    """Return what is wrong with a severity, and the remedy; None if it is valid."""
    if severity in RANK:
        return None
    close = SPELLINGS.get(severity.lower())
    remedy = f"did you mean `{close}`?" if close else did_you_mean(severity, SEVERITIES)
    return f"`{severity}` is not a severity", remedy
