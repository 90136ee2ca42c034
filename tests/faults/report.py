"""What a campaign comes to: the table that is printed and written, and whether it is good."""

from __future__ import annotations

import signal
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from faults.oracle import Place, Verdict
from faults.processes import Process
from faults.schedule import Fault, points

_MOST_MEMORY = 256 << 10
"""Kilobytes."""

_SHOWN = 5
"""Places of each kind of damage that are named, and tracebacks."""

_TRACEBACK, _WORDS = "Traceback (most recent call last)", 5000
"""How one begins, and how many characters of it are shown."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault as it was: from when to when (Unix time), and whether it came to pass."""

    fault: Fault
    began: float
    ended: float
    came_to_pass: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """What `logrouter audit` says afterwards: its status, 1 for something wrong, and its words."""

    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """arrived: whether all was there in time.   swallowed: lines in the windows of copytruncate.   unsent: lines
    under way over one of the `connections` when it broke.   errors: records archived that are to be told by mail.
    told: how many each mail tells of.

    repeated: lines that came again and were dropped.   steps: when lines were archived.   times: of the writing, by
    incarnation.   set_back: lines that came twice since the shipper's state was set back to before them.
    """

    mode: str
    seed: int
    seconds: float
    lines: int
    verdict: Verdict
    arrived: bool
    swallowed: int
    unsent: int
    connections: int
    repeated: int
    fired: Sequence[Fired]
    steps: Sequence[float]
    processes: Sequence[Process]
    spool: int
    errors: int
    told: Sequence[int]
    audit: Audit
    times: Mapping[str, Sequence[tuple[int, float]]]
    set_back: int = 0

    @property
    def crashes(self) -> Counter[str]:
        """Ends of processes that nobody asked for and no armed point explains."""
        return Counter(
            {
                f"{process.name} with {status}": number
                for process in self.processes
                for status, number in process.exits.items()
                if status != -signal.SIGKILL
            }
        )

    @property
    def is_good(self) -> bool:
        """Whether the promise held, and nothing failed in a way that nobody had thought of."""
        holds = self.verdict.is_clean and self.arrived and self.audit_agrees and self.mails_agree
        return holds and self.is_bounded and not (self.tracebacks or self.false_forks)

    @property
    def is_bounded(self) -> bool:
        """Whether each process kept to its memory."""
        return all(process.peak < _MOST_MEMORY for process in self.processes)

    @property
    def false_forks(self) -> int:
        """How often a shipper that was killed was taken for a copy."""
        return 0 if self._restores else sum(process.said().count("state.forked") for process in self.processes)

    @property
    def _restores(self) -> list[Fired]:
        return [each for each in self.fired if each.fault.kind == "restore" and each.came_to_pass]

    def without_set_back(self) -> Report:
        """The same, with what came twice as it had to counted apart."""
        last = max((each.ended for each in self._restores), default=0.0)
        twice = [place for place in self.verdict.twice if self._written_at(place) > last]
        verdict = replace(self.verdict, twice=twice)
        return replace(self, verdict=verdict, set_back=len(self.verdict.twice) - len(twice))

    @property
    def audit_agrees(self) -> bool:
        """Whether the audit found something wrong if, and only if, something is; mail may wait, and it may say so."""
        return self.audit.status in ((0, 3) if self.verdict.is_clean else (1,))

    @property
    def mails_agree(self) -> bool:
        """Whether mail tells of each error once; while the audit sees some waiting, of less."""
        told = sum(self.told)
        return told == self.errors or (told < self.errors and self.audit.status == 3)  # as the audit has it

    @property
    def tracebacks(self) -> list[str]:
        """Failures that were not expected, each with the process and its words from there on."""
        return [
            f"{process.name}:\n{_TRACEBACK}{words[:_WORDS]}"
            for process in self.processes
            for words in process.said().split(_TRACEBACK)[1:]
        ]

    def text(self) -> str:
        """The table."""
        audit = [] if self.audit.status == 0 else ["", self.audit.words]
        return "\n".join(
            [
                *self._summary(),
                "",
                *self._table(),
                "",
                *self._deaths(),
                "",
                *self._places(),
                *self.tracebacks[:_SHOWN],
                *audit,
            ]
        )

    def _summary(self) -> Iterator[str]:
        verdict = self.verdict
        judgement = "GOOD" if self.is_good else "BAD"
        yield f"campaign: {self.mode}, seed {self.seed}, {self.seconds:g} s of faults: {judgement}"
        yield f"lines written          {self.lines:,}, of which {verdict.written:,} were to be archived"
        for kind, places in verdict.wrong.items():
            yield f"{kind:22} {len(places):,}"
        yield f"{'late, as counted':22} {verdict.late:,}"
        yield f"{'in copytruncate windows':22} {self.swallowed:,} (counted, not promised)"
        yield f"{'over connections':22} {self.unsent:,} under way when one of {self.connections:,} broke (the same)"
        yield f"{'twice by a set-back':22} {self.set_back:,} (counted, not promised)"
        yield f"{'kills taken for copies':22} {self.false_forks:,}"
        yield f"{'all there in time':22} {'yes, and a fresh line from each log' if self.arrived else 'NO'}"
        yield f"{'duplicates suppressed':22} {self.repeated:,}"
        says = {0: "whole", 1: "not whole", 3: "not settled yet"}.get(self.audit.status, f"status {self.audit.status}")
        yield f"{'the audit says':22} {says}{'' if self.audit_agrees else ', AND IS WRONG'}"
        agree = "" if self.mails_agree else ", AND THAT IS WRONG"
        yield f"{'told by mail':22} {sum(self.told):,} of {self.errors:,} errors, in {len(self.told):,} mails{agree}"
        times = sorted({second for fired in self.fired if (second := self._recovery(fired)) is not None})
        if times:  # of each moment at which nothing was broken any more
            p50, p95 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 95 // 100)]
            yield f"{'recovery p50/p95/max':22} {p50:.1f} / {p95:.1f} / {times[-1]:.1f} s"
        for process in self.processes:
            yield f"{'peak memory of ' + process.name:22} {process.peak / 1024:.0f} MB, in {process.lives} lives"
        yield f"{'unexpected failures':22} {len(self.tracebacks)}"
        yield f"{'peak of the spool':22} {self.spool:,} bytes"
        for crash, number in self.crashes.items():
            yield f"{'ended by itself':22} {crash}, {number} times"

    def _table(self) -> Iterator[str]:
        """By kind of fault: how often, and what became of lines written between its beginning and the recovery."""
        yield _row("fault", "tried", "fired", *self.verdict.wrong, "median s")
        kinds: dict[str, list[Fired]] = defaultdict(list)
        for fired in self.fired:
            kinds[_kind(fired.fault)].append(fired)
        for kind, all_fired in sorted(kinds.items()):
            spans = [(each.began, each.ended + (self._recovery(each) or 0.0)) for each in all_fired]
            damage = [
                sum(any(begin <= at <= end for begin, end in spans) for at in map(self._written_at, places))
                for places in self.verdict.wrong.values()
            ]
            times = sorted(second for each in all_fired if (second := self._recovery(each)) is not None)
            median = f"{times[len(times) // 2]:.1f}" if times else "-"
            yield _row(kind, len(all_fired), sum(each.came_to_pass for each in all_fired), *damage, median)

    def _deaths(self) -> Iterator[str]:
        total = sum((process.fired() for process in self.processes), Counter())
        yield f"faults at named points: {total.total():,}"
        for point, number in sorted(total.items()):
            yield f"  {point:40} {number:4}"
        reached = {name.split()[0] for name in total}
        yield f"  never: {' '.join(sorted(set(points()) - reached))}"

    def _places(self) -> Iterator[str]:
        for kind, places in self.verdict.wrong.items():
            for place in places[:_SHOWN]:
                near = {_kind(each.fault) for each in self.fired if each.began <= self._written_at(place) <= each.ended}
                yield f"{kind}: {place.name} at {place.pos}, written during {', '.join(sorted(near)) or 'nothing'}"

    def _recovery(self, fired: Fired) -> float | None:
        """Seconds to the next line archived from a fault's end, or that of the last fault that overlaps it."""
        clear = fired.ended
        for other in sorted(self.fired, key=lambda each: each.began):
            if other.began <= clear:
                clear = max(clear, other.ended)
        index = bisect_right(self.steps, clear)
        return self.steps[index] - clear if fired.came_to_pass and index < len(self.steps) else None

    def _written_at(self, place: Place) -> float:
        times = self.times.get(place.name, ())
        index = bisect_left(times, (place.pos + 1, 0.0))
        return times[index][1] if index < len(times) else 0.0


def _row(name: str, *columns: object) -> str:
    return f"{name:32}" + "".join(f"{column!s:>13}" for column in columns)


def _kind(fault: Fault) -> str:
    """What faults are counted by: the kind and what was hit."""
    if fault.kind == "link":
        return f"link {fault.detail}"
    if fault.kind == "error":
        return f"error {fault.detail.rpartition('=')[2]} in {fault.target}"
    if fault.kind in ("mail", "rules"):
        return f"{fault.kind} {fault.detail}"
    return f"{fault.kind} {fault.target}" if fault.kind not in ("broker", "broker pause", "alarm") else fault.kind
