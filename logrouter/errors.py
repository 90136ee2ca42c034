"""The exceptions of logrouter. Everything that it raises on purpose is a LogrouterError.

A UserError ends a command with status 2. Every other LogrouterError is a failure at run time, with status 1. This
module imports nothing else of logrouter.
"""

from __future__ import annotations

import traceback
from pathlib import Path


class LogrouterError(Exception):
    """The base class of all errors that logrouter raises on purpose. `remedy` says what to do, '' if unknown."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy

    @property
    def lines(self) -> list[str]:
        """The lines that a command prints for this error."""
        return [str(self)]


def described(error: Exception) -> str:
    """Return an exception as text for people. One that is not ours gets its type and the line that raised it."""
    if isinstance(error, LogrouterError):
        return str(error)
    lines = [f" at {Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__}: {error}{''.join(lines[-1:])}"


class UserError(LogrouterError):
    """A mistake in the command line, in the configuration or in another file of the user."""


class WireError(LogrouterError):
    """A message or line is not valid wire data, or breaks a rule for it. Dead letters carry this text as the reason."""


class StateError(LogrouterError):
    """A state directory is unusable: locked by another process, damaged, or written by a newer version."""


class BrokerError(LogrouterError):
    """A request to the broker failed."""


class SessionLost(BrokerError):
    """The session has ended. The outcome of everything unconfirmed or unacknowledged on it is unknown."""


class QueueTaken(BrokerError):
    """The exclusive queue belongs to another session."""


class Unroutable(BrokerError):
    """A mandatory message matched no queue."""


class PublishRefused(BrokerError):
    """The broker rejected a message with a nack (a full queue, a failing node), or cannot carry it."""


class NotFound(BrokerError):
    """There is no queue or exchange of that name."""


class Forbidden(BrokerError):
    """The broker's user lacks a permission. `remedy` names the permission."""


class DestinationError(LogrouterError):
    """A destination did not accept a write."""


class Retry(DestinationError):
    """A temporary failure: the same write may succeed later (a full disk, a server that is down)."""


class Refuse(DestinationError):
    """A permanent failure: the same write can never succeed (a rejected recipient, a record that does not fit)."""
