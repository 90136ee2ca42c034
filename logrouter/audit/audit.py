"""The audit: it compares statements, the ledger, archives and queues, source by source and archive by archive.

The outcome is a report with all findings. A callback can receive the report of each source while the audit runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logrouter.audit import checks
from logrouter.audit.archives import ArchiveContents
from logrouter.audit.backlog import Backlog
from logrouter.audit.evidence import Evidence, SourceEvidence
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
"""Seconds after a statement in which a running router may not have decided yet what the statement calls confirmed."""

Decided = Callable[[str], tuple[Ranges, int]]
"""Returns, for a source that is not in the snapshot, what is decided of it and how many of its windows came late."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The report of one source.

    reporter: who states it.   lines, confirmed: as stated, -1 without a statement.   decided: records decided.
    archived: records by destination.   missing: ranges that were confirmed and not decided.
    lines_short: lines that were stated and not decided, although all their positions were.
    repeated: records that came again.   late: windows out of order.
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
    """The outcome of an audit.

    stated: sources with a statement.   lines: the sum of their lines.   is_unsaid: whether for some source more records
    were decided than lines were stated.
    decided: records, each counted once.   at_rest: those of them whose sources are folded.
    destinations: decided records by destination.   archived: records found in each archive.
    removed: records in files that its `keep` removed.   files: how many files were read.
    queued: messages by queue.   queues_known: whether the broker answered for all queues.
    late: windows out of order.   repeated: records that came again.   exceptions: what shippers counted, by name.
    dismissed: sources of which an operator dismissed what is missing.   given_up: what was given up, by name.
    gathered: records that a destination has gathered and not mailed yet.
    healed: records that the broker lost and that came again.   gone: bytes that it lost and that nobody can read.
    forks: branches of state directories that were copied or set back. Their sources have names of their own.
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
        """The exit status: 0 if all is accounted for, 1 if something is wrong, 3 if that cannot be known yet."""
        return self.findings.status


class Audit:
    """An audit of one instance. archives: those that were read.   queued: None if the broker could not be asked."""

    def __init__(
        self, books: Evidence, archives: Iterable[ArchiveContents], queued: Backlog | None, selection: Selection
    ) -> None:
        self._books = books
        self._snapshot = books.snapshot
        self._archives = {each.destination: each for each in archives}
        self._queued = queued
        self._can_wait = queued is None or bool(queued.waiting or queued.unknown)
        self._selection = selection

    def run(self, decided: Decided, take: Callable[[SourceReport], None] | None = None) -> Report:
        """Compare everything and return the report. `take` is called with the report of each source."""
        sums = Counter[str]()
        self._add(checks.of_waiting(self._queued, self._snapshot))
        by_source = {name for name, each in self._archives.items() if self._compare_totals(each)}
        short = set[str]()
        for its in self._books.sources():
            self._compare_source(its, decided)
            short.update(name for name in by_source if self._is_short(its, name))
            if (standing := its.standing) is not None:
                lines = standing.stated.lines if standing.stated else 0
                sums["sources"] += standing.stated is not None
                sums["lines"] += lines
                sums["unsaid"] += its.counted.get(DECIDED, 0) > lines
                sums["late"] += standing.late
                sums["repeated"] += standing.repeated
                sums["dismissed"] += bool(standing.dismissed)
                if take is not None:
                    take(self._report(its, standing))
        for name in self._archives.keys() - short:
            if not self._selection.is_all:
                self._add(checks.of_days(self._archives[name], self._snapshot))
        return self._total(sums)

    def _compare_totals(self, contents: ArchiveContents) -> bool:
        """Compare an archive's total with what was decided. Report whether its sources can be compared as well."""
        wrong = list(checks.of_totals(contents, self._snapshot)) if self._selection.is_all else []
        self._add(wrong)
        return not wrong and checks.is_told_by_source(contents, self._snapshot)

    def _is_short(self, its: SourceEvidence, name: str) -> bool:
        wrong = list(checks.of_counted(name, its.source, its.counted.get(name, 0), self._found(its, name)))
        self._add(wrong)
        return bool(wrong)

    def _compare_source(self, its: SourceEvidence, decided: Decided) -> None:
        snapshot = self._snapshot
        if its.standing is not None:
            is_settling = snapshot.is_running and snapshot.taken_at - its.stated_at < SETTLING
            may_come = self._can_wait or is_settling
            self._add(checks.of_standing(its.source, its.standing, may_come=may_come))
            known, late = its.standing.decided, its.standing.late
        else:
            known, late = decided(its.source)
        for name, runs in its.runs.items():
            found = held(runs, known)
            if its.standing is None and not known and max(run.day for run in runs) < self._first_known_day:
                found = ArchivedRecords(found.records, found.twice, found.first_twice, found.disordered)
                late = found.disordered
            self._add(checks.of_held(name, its.source, found, came_late=bool(late)))
            previous, reached, late_before = its.previous
            if previous and not (late or late_before):
                behind = overtaken(runs, self._books.runs_of(previous, name), reached)
                self._add(checks.of_chain(name, its.source, previous, behind))

    @property
    def _first_known_day(self) -> str:
        """The first day whose sources the ledger still knows: older ones may be forgotten."""
        return (datetime.fromtimestamp(self._snapshot.taken_at, UTC) - timedelta(FORGOTTEN)).date().isoformat()

    def _found(self, its: SourceEvidence, name: str) -> int:
        if its.source == FOREIGN:
            return self._archives[name].foreign
        return sum(run.records for run in its.runs.get(name, ()))

    def _report(self, its: SourceEvidence, standing: SourceStatus) -> SourceReport:
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

    def _total(self, sums: Mapping[str, int]) -> Report:
        snapshot, archives = self._snapshot, self._archives
        destinations = dict(sorted(snapshot.decided.items()))
        decided = destinations.pop(DECIDED, 0)
        past = dict(snapshot.tallies) if self._selection.is_all else {}
        late, repeated = past.pop("late", 0), past.pop("repeated", 0)
        return Report(
            lines=sums["lines"],
            stated=sums["sources"],
            is_unsaid=sums["unsaid"] > 0,
            decided=decided,
            at_rest=snapshot.at_rest,
            destinations=destinations,
            archived={name: each.records + each.odd + each.unread for name, each in archives.items()},
            removed={name: each.removed + snapshot.removed.get(name, 0) for name, each in archives.items()},
            files={name: each.files for name, each in archives.items()},
            queued=self._queued.waiting if self._queued else {},
            queues_known=self._queued is not None and not self._queued.unknown,
            late=sums["late"] + late,
            repeated=sums["repeated"] + repeated,
            dismissed=sums["dismissed"],
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
