"""Lives of a state directory: a kill is no fork, a copy or an older state is one, whatever a router has met of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logrouter.errors import WireError
from logrouter.ledger.lives import Life
from logrouter.router.lineage import MAIN, Lineage
from logrouter.wire.session import ShipperSession, decoded, first_session


def lineage() -> Lineage:
    return Lineage(lambda name: None)


def test_a_restart_goes_on_with_the_same_life() -> None:
    lives, session = lineage(), first_session().renewed()
    for _ in range(20):
        assert lives.branch(session) == MAIN
        session = session.child().renewed().renewed()


def test_a_session_that_published_nothing_is_no_gap() -> None:
    lives, session = lineage(), first_session().renewed()
    lives.branch(session)
    unseen = session.child().child().child()
    assert lives.branch(unseen.renewed()) == MAIN


def test_a_session_whose_windows_never_came_is_no_gap() -> None:
    lives, session = lineage(), first_session().renewed()
    lives.branch(session)
    lost = session.child().renewed().child().renewed()
    assert lives.branch(lost) == MAIN


def test_two_that_went_on_from_one_state_are_two_lives() -> None:
    lives, session = lineage(), first_session().renewed()
    lives.branch(session)
    one, other = session.child().renewed(), session.child().renewed()
    assert lives.branch(one) == MAIN
    branch = lives.branch(other)
    assert branch != MAIN
    assert lives.branch(one.child().renewed()) == MAIN
    assert lives.branch(other.child().renewed()) == branch


def test_a_state_that_was_set_back_within_a_session_is_another_life() -> None:
    lives, saved = lineage(), first_session().renewed()
    lives.branch(saved)
    went_on = saved.renewed().renewed()
    assert lives.branch(went_on) == MAIN
    assert lives.branch(saved.child().renewed()) != MAIN


def test_one_that_goes_on_beside_its_copy_is_another_life() -> None:
    lives, session = lineage(), first_session().renewed()
    lives.branch(session)
    assert lives.branch(session.child().renewed()) == MAIN
    assert lives.branch(session) == MAIN  # a window from before, late
    branch = lives.branch(session.renewed())
    assert branch != MAIN
    assert lives.branch(session.renewed().renewed()) == branch
    assert lives.branch(session.renewed().renewed().child().renewed()) == branch


def test_what_was_met_outlives_the_router() -> None:
    ledger: dict[str, Life] = {}
    session = first_session().renewed()
    first = Lineage(ledger.get)
    first.branch(session)
    first.branch(session.child().renewed())
    ledger |= first.changed
    assert Lineage(ledger.get).branch(session.child().renewed()) != MAIN


def test_a_session_comes_back_as_it_was_sent() -> None:
    session = first_session().renewed().child().renewed()
    assert decoded(session.encoded()) == session


@pytest.mark.parametrize(
    "points", [[], [1], ["a"], ["a:"], [":1"], ["a:-1"], ["a:1.5"], ["a:" + "9" * 99], ["a:1"] * 10]
)
def test_what_is_no_session_is_refused(points: list[object]) -> None:
    with pytest.raises(WireError):
        decoded(points)


@dataclass
class Disk:
    """A state directory, and the ids of all that was published from the states that led to it."""

    saved: ShipperSession = field(default_factory=first_session)
    published: list[int] = field(default_factory=list)


class Lives(RuleBasedStateMachine):
    """Kills, copies and restores at any moment; a router that meets some of what is published, some of it late.

    Whatever happens: windows that no one state has seen both of are never on one branch, and while nothing is copied
    there is one branch alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lives = lineage()
        self.disks = [Disk()]
        self.running: dict[int, ShipperSession] = {}
        self.branches: dict[int, str] = {}
        self.histories: dict[int, list[int]] = {}
        self.count = 0
        self.copied = False
        self.pending: list[tuple[int, ShipperSession]] = []

    @rule(which=st.integers(0, 3))
    def start(self, which: int) -> None:
        disk = self.disks[which % len(self.disks)]
        disk.saved = disk.saved.child()
        self.running[which % len(self.disks)] = disk.saved

    @rule(which=st.integers(0, 3), renews=st.booleans(), comes=st.booleans())
    def publish(self, which: int, renews: bool, comes: bool) -> None:
        number = which % len(self.disks)
        session = self.running.get(number)
        if session is None:
            return
        disk = self.disks[number]
        if renews or not session.point.lease or self.copied:  # a lease is short: after a copy was made it is over
            session = disk.saved = self.running[number] = session.renewed()
        self.count += 1
        disk.published.append(self.count)
        self.histories[self.count] = list(disk.published)
        if comes:
            self.pending.append((self.count, session))

    @rule(which=st.integers(0, 3))
    def copy(self, which: int) -> None:
        disk = self.disks[which % len(self.disks)]
        if len(self.disks) < 3 and disk.published:
            self.disks.append(Disk(disk.saved, list(disk.published)))
            self.copied = True

    @rule(first=st.booleans())
    def meet(self, first: bool) -> None:
        while self.pending:
            number, session = self.pending.pop(0)
            self.branches[number] = self.lives.branch(session)
            if first:
                break

    @invariant()
    def lives_are_told_apart(self) -> None:
        if not self.copied:
            assert set(self.branches.values()) <= {MAIN}
        for number, branch in self.branches.items():
            for other, another in self.branches.items():
                if number < other and branch == another:
                    assert number in self.histories[other]


TestLives = Lives.TestCase
