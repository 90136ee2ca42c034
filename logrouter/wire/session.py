"""Shipper sessions, which identify the state from which a window was published.

A shipper begins a session with a random id each time that it connects, and saves it before it publishes anything. While
it publishes, it raises the session's *lease*, a number that is saved before it is used. A session names its ancestors,
each with the lease at which the next one began.

This distinguishes a shipper that was killed and restarted from two shippers that continued from the same state, because
the state directory was copied or restored. Nothing is published under a lease that was not saved, so a restarted
shipper knows at least what was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from logrouter.errors import WireError

MOST_ANCESTORS = 8
"""The maximum number of ancestors that a session names: more than begin in a row without a router seeing one."""

_MARK = ":"


@dataclass(frozen=True, slots=True)
class Point:
    """A point in the history of a state directory: a session and its lease at that time."""

    session: str
    lease: int

    def __str__(self) -> str:
        return f"{self.session}{_MARK}{self.lease}"


@dataclass(frozen=True, slots=True)
class ShipperSession:
    """A session as a window carries it. `ancestors` are the points that it continued from, the latest first."""

    point: Point
    ancestors: tuple[Point, ...] = ()

    def child(self) -> ShipperSession:
        """Return a session that continues from this one. This one becomes an ancestor only if it has published."""
        ancestors = (self.point, *self.ancestors) if self.point.lease else self.ancestors
        return ShipperSession(Point(token_hex(8), 0), ancestors[:MOST_ANCESTORS])

    def renewed(self) -> ShipperSession:
        """Return this session with the next lease."""
        return ShipperSession(Point(self.point.session, self.point.lease + 1), self.ancestors)

    def encoded(self) -> list[str]:
        """Return the wire form: the session's point, then its ancestors."""
        return [str(point) for point in (self.point, *self.ancestors)]


def first_session() -> ShipperSession:
    """Return the session of a state directory that has had none."""
    return ShipperSession(Point(token_hex(8), 0))


def decoded(points: Sequence[object]) -> ShipperSession:
    """Return the session for its wire form. Raises WireError if the form is invalid."""
    if not 1 <= len(points) <= 1 + MOST_ANCESTORS:
        raise WireError(f"a session cannot have {len(points)} points")
    first, *others = map(_point, points)
    return ShipperSession(first, tuple(others))


def _point(text: object) -> Point:
    session, _, lease = text.partition(_MARK) if isinstance(text, str) else ("", "", "")
    if not (session and len(session) <= 64 and lease.isascii() and lease.isdecimal() and len(lease) <= 18):
        raise WireError(f"{text!r} is not a point in a session")
    return Point(session, int(lease))
