"""Sessions of shippers: which life of a state directory a window was published in.

Each time that a shipper connects it begins a session with a random id, and saves it before it publishes anything. While
it publishes it raises the session's *lease*, a number that is saved before it is used. A session names its ancestors,
each with the lease at which the next one began. So two lives that went on from the same point, because the state
directory was copied or set back, can be told apart from one that was killed and started again: nothing is published
under a lease that was not saved, so whoever starts from the state knows at least as much as was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from logrouter.errors import WireError

MOST_ANCESTORS = 8
"""Ancestors that a session names: more than start one after the other without a router meeting any of them."""

_MARK = ":"


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in the life of a state directory: a session, and its lease then."""

    session: str
    lease: int

    def __str__(self) -> str:
        return f"{self.session}{_MARK}{self.lease}"


@dataclass(frozen=True, slots=True)
class ShipperSession:
    """A session as a window carries it. ancestors: where it went on from, and before that; the latest first."""

    point: Point
    ancestors: tuple[Point, ...] = ()

    def child(self) -> ShipperSession:
        """A session that goes on from here. One that has published nothing leaves no trace."""
        ancestors = (self.point, *self.ancestors) if self.point.lease else self.ancestors
        return ShipperSession(Point(token_hex(8), 0), ancestors[:MOST_ANCESTORS])

    def renewed(self) -> ShipperSession:
        """The same with the next lease."""
        return ShipperSession(Point(self.point.session, self.point.lease + 1), self.ancestors)

    def encoded(self) -> list[str]:
        """As it travels: itself, then its ancestors."""
        return [str(point) for point in (self.point, *self.ancestors)]


def first_session() -> ShipperSession:
    """The session of a state directory that had none before."""
    return ShipperSession(Point(token_hex(8), 0))


def decoded(points: Sequence[object]) -> ShipperSession:
    """The session that was encoded so. Raises WireError for anything else."""
    if not 1 <= len(points) <= 1 + MOST_ANCESTORS:
        raise WireError(f"{len(points)} points make no session")
    first, *others = map(_point, points)
    return ShipperSession(first, tuple(others))


def _point(text: object) -> Point:
    session, _, lease = text.partition(_MARK) if isinstance(text, str) else ("", "", "")
    if not (session and len(session) <= 64 and lease.isascii() and lease.isdecimal() and len(lease) <= 18):
        raise WireError(f"{text!r} is no point in a session")
    return Point(session, int(lease))
