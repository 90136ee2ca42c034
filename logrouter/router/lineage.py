"""Finds which of a state directory's lives a window belongs to. Pure.

A state directory has one life while each session continues where the one before it ended. If two sessions continue from
the same point, or a session continues although it has a successor, the directory was copied or set back. The life that
is met first then keeps the names of its sources, and the windows of the other count as sources of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from logrouter.ledger.lives import Life
from logrouter.wire.session import Point, ShipperSession

MAIN = ""
"""The branch whose sources keep the names that their shipper gives them."""


class Lineage:
    """The lives of all state directories that an instance has met.

    known: returns the life of a name from the ledger, or None.
    changed: the lives to save to the ledger, by name. The caller clears it.
    """

    def __init__(self, known: Callable[[str], Life | None]) -> None:
        self._known = known
        self._lives: dict[str, Life] = {}
        self.changed: dict[str, Life] = {}

    def branch(self, session: ShipperSession) -> str:
        """Return the branch that a window of this session belongs to."""
        name, life = self._place(session.point)
        if life is None:
            return self._begin(session)
        if not life.is_tip and session.point.lease > life.succeeded:
            return self._continue(session.point)
        if session.point.lease > life.lease:
            self._keep(name, replace(life, lease=session.point.lease))
        return life.branch

    def _begin(self, session: ShipperSession) -> str:
        """Add a session that was not met before, and those of its ancestors that were not. Return its branch."""
        branch, unmet = MAIN, []
        for point in session.ancestors:
            name, life = self._place(point)
            if life is None:
                unmet.append(point)
            elif life.is_tip and point.lease >= life.lease:
                branch = life.branch
                self._keep(name, replace(life, succeeded=point.lease))
                break
            else:
                branch = session.point.session
                break
        for point in unmet:
            self._keep(point.session, Life(branch, point.lease, succeeded=point.lease))
        self._keep(session.point.session, Life(branch, session.point.lease))
        return branch

    def _continue(self, point: Point) -> str:
        """Begin a new life for a session that continued although it has a successor. Return its branch."""
        name = _continued(point.session)
        self._keep(name, Life(name, point.lease))
        return name

    def _place(self, point: Point) -> tuple[str, Life | None]:
        """Return the name of the life that a point lies in, and the life, or None if it was not met before."""
        life = self._life(point.session)
        if life is not None and not life.is_tip and point.lease > life.succeeded:
            continued = _continued(point.session)
            if further := self._life(continued):
                return continued, further
        return point.session, life

    def _life(self, name: str) -> Life | None:
        if name not in self._lives and (life := self._known(name)) is not None:
            self._lives[name] = life
        return self._lives.get(name)

    def _keep(self, name: str, life: Life) -> None:
        self._lives[name] = self.changed[name] = life


def _continued(session: str) -> str:
    return f"{session}+"
