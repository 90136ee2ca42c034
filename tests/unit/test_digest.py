"""Digests and their pace: nothing is mailed twice or uncounted, whatever the number, the clock and the restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.destinations.notify.digest import Digest
from logrouter.destinations.notify.pacing import HOUR, Memory, Pacing
from logrouter.wire.record import Record

WAIT = 5.0


def record(message: str = "x", service: str = "mail", host: str = "mx1", ts: str = "2026-11-22T10:00:00Z") -> Record:
    return Record(ts=ts, service=service, host=host, severity="error", message=message, source="s", pos=0, end=1)


@dataclass
class Simulation:
    """A destination's pace over a made-up time. offset: of the clock against the real time, in seconds."""

    per_hour: int
    memory: Memory = field(default_factory=Memory)
    real: float = 1_000_000.0
    offset: float = 0.0
    sent_at: list[float] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def pacing(self) -> Pacing:
        """As after a restart, from what was kept."""
        self.memory = msgspec.json.decode(msgspec.json.encode(self.memory), type=Memory)
        return Pacing(self.memory, WAIT, self.per_hour)

    def step(self, seconds: float, back: float, records: Sequence[Record], *, at_once: bool = False) -> None:
        self.real += seconds
        self.offset -= back
        if records:
            self.pacing.add(f"batch {self.real}", "rule", records, self.real + self.offset)
        pacing = self.pacing
        due = pacing.take(self.real + self.offset, at_once=at_once)
        if due is None:
            return
        self.sent_at.append(self.real)
        for counts in (due.digest.counts() if due.digest else (), due.withheld.counts.items() if due.withheld else ()):
            self.told.update(dict(counts))

    def finish(self) -> None:
        """Go on until nothing more is due, which is within the hour."""
        limit = self.real + HOUR + WAIT
        while (due := self.pacing.due()) is not None:
            assert due - self.offset <= limit
            self.step(max(0.0, due - self.offset - self.real), 0.0, ())


steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 4.5, 30.0, 600.0, 4000.0]),
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 1.0, 3600.0, 90_000.0]),
        st.lists(st.sampled_from(["mx1", "mx2", "mx3"]), max_size=5),
        st.booleans(),
    ),
    max_size=60,
)


@given(steps=steps, per_hour=st.integers(1, 3))
def test_every_record_is_told_of_once_and_never_more_mails_than_the_cap(
    steps: list[tuple[float, float, list[str], bool]], per_hour: int
) -> None:
    simulation = Simulation(per_hour)
    expected: Counter[str] = Counter()
    for seconds, back, hosts, at_once in steps:
        simulation.step(seconds, back, [record(host=host) for host in hosts], at_once=at_once)
        expected.update(f"error mail@{host}" for host in hosts)
    simulation.finish()
    assert simulation.told == expected
    for first, beyond in zip(simulation.sent_at, simulation.sent_at[per_hour:], strict=False):
        assert beyond - first >= HOUR


def test_a_digest_waits_for_its_time_and_what_is_due_at_once_does_not() -> None:
    pacing = Pacing(Memory(), WAIT, 20)
    pacing.add("a", "r", [record()], 100.0)
    assert pacing.due() == 105.0
    assert pacing.take(104.9, at_once=False) is None
    assert pacing.take(104.9, at_once=True) is not None
    assert pacing.due() is None


def test_the_last_mail_of_an_hour_says_so_and_the_next_has_the_summary() -> None:
    pacing = Pacing(Memory(), WAIT, 1)
    pacing.add("a", "r", [record()], 0.0)
    first = pacing.take(5.0, at_once=False)
    assert first is not None
    assert first.until == 5.0 + HOUR
    for n in range(3):
        pacing.add(f"b{n}", "r", [record()] * 10, 10.0)
        assert pacing.take(20.0, at_once=False) is None
    assert pacing.due() == 5.0 + HOUR
    second = pacing.take(5.0 + HOUR, at_once=False)
    assert second is not None
    assert second.digest is None
    assert second.withheld is not None
    assert (second.withheld.mails, second.withheld.total) == (3, 30)


def test_a_lower_cap_than_before_holds_at_once() -> None:
    memory = Memory(sent=[float(n) for n in range(20)])
    pacing = Pacing(memory, WAIT, 3)
    pacing.add("a", "r", [record()], 30.0)
    assert pacing.take(40.0, at_once=False) is None
    times = []
    while (due := pacing.due()) is not None:
        if pacing.take(due, at_once=False):
            times.append(due)
    assert times == [17.0 + HOUR]


@given(st.permutations(["a", "b", "c", "d"]))
def test_equal_batches_in_another_order_are_the_same_digest(order: Sequence[str]) -> None:
    def digest(names: Iterable[str]) -> Digest:
        made = Digest(opened=0.0)
        for name in names:
            made.add(name, "rule", [record(ts=f"2026-11-22T10:00:0{ord(name) % 10}Z")])
        return made

    one, other = digest(order), digest("abcd")
    assert one.identity == other.identity != digest("abc").identity
    assert (one.first, one.last, one.groups) == (other.first, other.last, other.groups)


@pytest.mark.parametrize("what", ["message", "host"])
def test_counts_are_exact_and_memory_is_bounded_whatever_comes(what: str) -> None:
    number, batch = 100_000, 1000
    memory = Memory()
    pacing = Pacing(memory, WAIT, 1)
    pacing.add("first", "r", [record()], 0.0)
    assert pacing.take(5.0, at_once=False)
    for start in range(0, number, batch):
        made = [record(**{what: f"{n} " * 2000}) for n in range(start, start + batch)]
        pacing.add(f"batch {start}", "r", made, 10.0)
        if start == number // 2:
            assert pacing.take(20.0, at_once=False) is None
    assert len(msgspec.json.encode(memory)) < 2_000_000
    assert memory.open is not None
    assert memory.withheld is not None
    in_groups = sum(group.count for group in memory.open.groups.values())
    assert in_groups + memory.open.other == memory.open.total
    assert memory.open.total + memory.withheld.total == number
    told = [(told.count, group.more) for group in memory.open.groups.values() for told in group.messages.values()]
    assert told
    if what == "message":
        assert sum(count for count, _ in told) + told[0][1] == memory.open.total


def test_summaries_tell_a_bounded_number_of_kinds_apart() -> None:
    pacing = Pacing(Memory(sent=[0.0]), WAIT, 1)
    for n in range(2000):
        pacing.add(f"b{n}", "r", [record(host=f"h{n}")], 10.0)
        pacing.take(20.0, at_once=False)
    due = pacing.take(HOUR, at_once=False)
    assert due is not None
    assert due.withheld is not None
    assert (due.withheld.total, len(due.withheld.counts)) == (2000, 501)


@pytest.mark.parametrize("ts", ["", "garbage", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-13-45T00:00:00Z"])
def test_a_time_that_none_can_show_is_left_out(ts: str) -> None:
    digest = Digest(opened=0.0)
    digest.add("a", "r", [record(ts=ts), record(), record(ts=ts)])
    (told,) = digest.groups["error\0mail\0mx1"].messages.values()
    assert told.count == 3
    assert told.first == told.last == digest.first == digest.last == "2026-11-22T10:00:00Z"


def test_times_span_all_records_also_those_whose_text_is_not_kept() -> None:
    digest = Digest(opened=0.0)
    digest.add("a", "r", [record(f"text {n}", ts=f"2026-11-22T10:00:{n:02}Z") for n in range(30, 0, -1)])
    assert (digest.first, digest.last) == ("2026-11-22T10:00:01Z", "2026-11-22T10:00:30Z")
