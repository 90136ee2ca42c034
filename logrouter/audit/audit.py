"""An audit: source by source, archive by archive, everything held against each other.

In come the books, the contents of archives and the depths of queues; out goes a report with its findings, and on the
way that of each source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logrouter.audit import checks as accounts
from logrouter.audit.archives import Contents
from logrouter.audit.backlog import Queued
from logrouter.audit.evidence import Books, Sourced
from logrouter.audit.findings import Finding, Findings
from logrouter.audit.runs import ArchivedRecords, held, overtaken
from logrouter.destinations.notify.pacing import gathered
from logrouter.ledger.compaction import FORGOTTEN
from logrouter.ledger.entry import DECIDED
from logrouter.ledger.selection import Selection
from logrouter.ledger.source_status import SourceStatus
from logrouter.wire.ranges import Ranges
from logrouter.wire.slices import FOREIGN

SETTLING = 180.0
"""Seconds after a statement within which a running router may still have in its hands what it says was confirmed."""

Decided = Callable[[str], tuple[Ranges, int]]
"""Of a source that the snapshot does not have: what is decided of it, and how many of its windows came late."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source. lines, confirmed: as its shipper says, -1 where none has; reporter: which.

    archived: records by destination.   lines_short: lines stated and not decided, though all their positions were.
    dismissed: up to where an operator dismissed what is missing.
    """

    source: str
    path: str
    service: str
    host: str
    reporter: str
    lines: int
    confirmed: int
    decided: int
    archived: Mapping[str, int]
    missing: tuple[tuple[int, int], ...]
    lines_short: int
    repeated: int
    late: int
    dismissed: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. lines: as shippers state them of so many sources (stated); is_unsaid: of some they say less.

    decided: records, each once; at_rest: of these, those of sources that are folded away.
    destinations: records by destination.   archived: records found in each archive; files: how many were read;
    removed: records that its `keep` removed.   queued: messages by queue; queues_known: whether the broker was asked.
    late: windows out of their order.   repeated: records that came again.   exceptions: what shippers counted, by name.
    dismissed: sources of which an operator dismissed what is missing.   given_up: what was, by name.
    gathered: records that a destination keeps in the ledger until it tells of them.
    healed: records that the broker had lost and that came again.   gone: bytes that it lost and nobody has any more.
    forks: lives of state directories that were copied or set back; their sources are told apart.
    """

    lines: int
    stated: int
    is_unsaid: bool
    decided: int
    at_rest: int
    destinations: Mapping[str, int]
    archived: Mapping[str, int]
    removed: Mapping[str, int]
    files: Mapping[str, int]
    queued: Mapping[str, int]
    queues_known: bool
    late: int
    repeated: int
    dismissed: int
    exceptions: Mapping[str, int]
    given_up: Mapping[str, int]
    gathered: Mapping[str, int]
    healed: int
    gone: int
    forks: Sequence[str]
    findings: Findings

    @property
    def status(self) -> int:
        """The exit status: 0 whole, 1 something is wrong, 3 it cannot be said yet."""
        return self.findings.status


class Audit:
    """Archives and books. queued: None if the broker could not be asked."""

    def __init__(self, books: Books, archives: Iterable[Contents], queued: Queued | None, selection: Selection) -> None:
        self._books = books
        self._snapshot = books.snapshot
        self._archives = {each.destination: each for each in archives}
        self._queued = queued
        self._can_wait = queued is None or bool(queued.waiting or queued.unknown)
        self._selection = selection

    def run(self, decided: Decided, tell: Callable[[SourceReport], None] | None = None) -> Report:
        """Hold it all against each other; `tell` takes the report of each source, if anybody is to know."""
        told = Counter[str]()
        self._add(accounts.of_waiting(self._queued, self._snapshot))
        by_source = {name for name, each in self._archives.items() if self._hold_totals(each)}
        short = set[str]()
        for its in self._books.sources():
            self._hold_source(its, decided)
            short.update(name for name in by_source if self._is_short(its, name))
            if (standing := its.standing) is not None:
                lines = standing.stated.lines if standing.stated else 0
                told["sources"] += standing.stated is not None
                told["lines"] += lines
                told["unsaid"] += its.counted.get(DECIDED, 0) > lines
                told["late"] += standing.late
                told["repeated"] += standing.repeated
                told["dismissed"] += bool(standing.dismissed)
                if tell is not None:
                    tell(self._report(its, standing))
        for name in self._archives.keys() - short:
            if not self._selection.is_all:
                self._add(accounts.of_days(self._archives[name], self._snapshot))
        return self._total(told)

    def _hold_totals(self, contents: Contents) -> bool:
        """Hold an archive's totals against what was decided; whether its sources may be held against it too."""
        wrong = list(accounts.of_totals(contents, self._snapshot)) if self._selection.is_all else []
        self._add(wrong)
        return not wrong and accounts.is_told_by_source(contents, self._snapshot)

    def _is_short(self, its: Sourced, name: str) -> bool:
        wrong = list(accounts.of_counted(name, its.source, its.counted.get(name, 0), self._found(its, name)))
        self._add(wrong)
        return bool(wrong)

    def _hold_source(self, its: Sourced, decided: Decided) -> None:
        snapshot = self._snapshot
        if its.standing is not None:
            is_settling = snapshot.is_running and snapshot.taken_at - its.stated_at < SETTLING
            may_come = self._can_wait or is_settling
            self._add(accounts.of_standing(its.source, its.standing, may_come=may_come))
            known, late = its.standing.decided, its.standing.late
        else:
            known, late = decided(its.source)
        for name, runs in its.runs.items():
            found = held(runs, known)
            if its.standing is None and not known and max(run.day for run in runs) < self._remembered:
                found = ArchivedRecords(found.records, found.twice, found.first_twice, found.disordered)
                late = found.disordered
            self._add(accounts.of_held(name, its.source, found, came_late=bool(late)))
            previous, reached, late_before = its.previous
            if previous and not (late or late_before):
                behind = overtaken(runs, self._books.runs_of(previous, name), reached)
                self._add(accounts.of_chain(name, its.source, previous, behind))

    @property
    def _remembered(self) -> str:
        """The first day of which a source is still known, whatever became of it."""
        return (datetime.fromtimestamp(self._snapshot.taken_at, UTC) - timedelta(FORGOTTEN)).date().isoformat()

    def _found(self, its: Sourced, name: str) -> int:
        if its.source == FOREIGN:
            return self._archives[name].foreign
        return sum(run.records for run in its.runs.get(name, ()))

    def _report(self, its: Sourced, standing: SourceStatus) -> SourceReport:
        stated = standing.stated
        return SourceReport(
            source=its.source,
            path=stated.path if stated else "",
            service=its.service or (stated.input if stated else ""),
            host=its.host,
            reporter=its.reporter,
            lines=stated.lines if stated else -1,
            confirmed=stated.confirmed if stated else -1,
            decided=its.counted.get(DECIDED, 0),
            archived={name: found for name in self._archives if (found := self._found(its, name))},
            missing=tuple(standing.gaps),
            lines_short=standing.lines_short,
            repeated=standing.repeated,
            late=standing.late,
            dismissed=standing.dismissed,
        )

    def _total(self, told: Mapping[str, int]) -> Report:
        snapshot, archives = self._snapshot, self._archives
        destinations = dict(sorted(snapshot.decided.items()))
        decided = destinations.pop(DECIDED, 0)
        past = dict(snapshot.tallies) if self._selection.is_all else {}
        late, repeated = past.pop("late", 0), past.pop("repeated", 0)
        return Report(
            lines=told["lines"],
            stated=told["sources"],
            is_unsaid=told["unsaid"] > 0,
            decided=decided,
            at_rest=snapshot.at_rest,
            destinations=destinations,
            archived={name: each.records + each.odd + each.unread for name, each in archives.items()},
            removed={name: each.removed + snapshot.removed.get(name, 0) for name, each in archives.items()},
            files={name: each.files for name, each in archives.items()},
            queued=self._queued.waiting if self._queued else {},
            queues_known=self._queued is not None and not self._queued.unknown,
            late=told["late"] + late,
            repeated=told["repeated"] + repeated,
            dismissed=told["dismissed"],
            exceptions=snapshot.exceptions,
            given_up=past,
            gathered={name: records for name, note in snapshot.notes.items() if (records := gathered(note) or 0)},
            healed=snapshot.healed,
            gone=snapshot.gone,
            forks=snapshot.forks,
            findings=self._books.findings,
        )

    def _add(self, found: Iterable[Finding]) -> None:
        for each in found:
            self._books.findings.add(each)
