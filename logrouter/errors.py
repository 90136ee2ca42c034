"""The error tree: everything that logrouter raises on purpose descends from LogrouterError.

A user's mistake (`UserError`) ends a command with status 2 and names the remedy; everything else is a failure at run
time, status 1. Nothing here knows of any other module.
"""

from __future__ import annotations

import traceback
from pathlib import Path


class LogrouterError(Exception):
    """The root: whatever logrouter raises on purpose; `remedy` says what to do about it, where that is known."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy

    @property
    def lines(self) -> list[str]:
        """What to print of it, line by line."""
        return [str(self)]


def described(error: Exception) -> str:
    """An exception for people: as it speaks if it is one of ours, else what it is and where it was raised."""
    if isinstance(error, LogrouterError):
        return str(error)
    places = [f" at {Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__}: {error}{''.join(places[-1:])}"


class UserError(LogrouterError):
    """Something the user typed or wrote is wrong."""


class WireError(LogrouterError):
    """A message says that it is ours, and is not: the reason it goes to the dead letters."""


class StateError(LogrouterError):
    """A state directory cannot be used: locked by another process, damaged, or written by a newer version."""


class BrokerError(LogrouterError):
    """The broker did not do what was asked."""


class SessionLost(BrokerError):
    """The connection or channel is gone; whatever was unconfirmed or unacknowledged on it is undecided."""


class QueueTaken(BrokerError):
    """An exclusive queue is another session's."""


class Unroutable(BrokerError):
    """A mandatory message matched no queue."""


class PublishRefused(BrokerError):
    """The broker does not take a message: a nack (a full queue, a failing node), or one that it cannot carry."""


class NotFound(BrokerError):
    """The queue or exchange that was named is not there."""


class Forbidden(BrokerError):
    """The broker's user lacks a right; `remedy` names it."""


class DestinationError(LogrouterError):
    """A destination did not take what it was given."""


class Retry(DestinationError):
    """Not now: the same write may succeed later (a full disk, a server that is down)."""


class Refuse(DestinationError):
    """Never: the same write would fail for ever (a rejected recipient, a record it cannot hold)."""
