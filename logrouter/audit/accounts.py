"""The books: what shippers read, what the router decided, what archives hold and what waits. Pure.

In come a ledger's snapshot, the contents of archives and the depths of queues; out goes a report with its findings.
What is missing while something waits may be what waits: then it is unresolved, not missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from logrouter.audit.contents import Contents, Held
from logrouter.audit.selection import Selection
from logrouter.destinations.email.pacing import gathered
from logrouter.extents import Extents
from logrouter.ledger.ledger import DECIDED
from logrouter.ledger.snapshot import Snapshot, SourceDecided
from logrouter.statement import SourceStatement

MISSING, TWICE, ALTERED, DISORDERED, UNRESOLVED = "missing", "twice", "altered", "out of order", "unresolved"

SETTLING = 180.0
"""Seconds after a statement within which a running router may still have in its hands what it says was confirmed."""

EXCEPTIONS = (
    "file.rewritten",
    "file.gone",
    "line.cut",
    "input.dropped",
    "spool.lost",
    "state.broken",
    "state.cloned",
    "kernel drops",
    "unread bytes",
    "shed",
)
"""What shippers count because nobody could promise it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. amount: records, or bytes where only positions are known."""

    kind: str
    amount: int
    text: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source. lines, confirmed: as its shipper says, -1 where none has.   archived: records by destination."""

    source: str
    path: str
    service: str
    host: str
    lines: int
    confirmed: int
    decided: int
    archived: Mapping[str, int]
    missing: tuple[tuple[int, int], ...]
    repeated: int
    late: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. decided: records, each once.   destinations: by destination.   queued: messages by queue.

    archived: records found in each archive.   removed: records that its `keep` removed.   files: how many were read.
    exceptions: what shippers counted, by name.   queues_known: whether the broker was asked.
    gathered: records that a destination keeps in the ledger until it tells of them.
    """

    sources: tuple[SourceReport, ...]
    decided: int
    destinations: Mapping[str, int]
    archived: Mapping[str, int]
    removed: Mapping[str, int]
    files: Mapping[str, int]
    queued: Mapping[str, int]
    queues_known: bool
    exceptions: Mapping[str, float]
    gathered: Mapping[str, int]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def lines(self) -> int:
        """Lines that shippers have stated."""
        return sum(source.lines for source in self.sources if source.lines > 0)

    def amount(self, kind: str) -> int:
        """How much of a kind there is."""
        return sum(finding.amount for finding in self.findings if finding.kind == kind)

    @property
    def status(self) -> int:
        """The exit status: 0 whole, 1 something is wrong, 3 it cannot be said yet."""
        kinds = {finding.kind for finding in self.findings}
        return 1 if kinds - {UNRESOLVED} else 3 if kinds else 0


def audit(
    snapshot: Snapshot,
    archives: Mapping[str, Contents],
    queued: Mapping[str, int] | None,
    selection: Selection,
) -> Report:
    """Hold it all against each other. queued: None if the broker could not be asked."""
    counts = Counter[tuple[str, str]]()
    names: dict[str, tuple[str, str]] = {}
    for counted, records in snapshot.counts.items():
        if selection.takes(counted.day, counted.service, counted.host):
            counts[counted.source, counted.destination] += records
            names.setdefault(counted.source, (counted.service, counted.host))
    known = sorted(set(names) | ({*snapshot.stated, *snapshot.sources} if selection.is_all else set()))
    sources = tuple(_source(source, snapshot, archives, counts, names) for source in known)
    findings = (
        *_waiting(queued, snapshot),
        *_unread_notes(snapshot),
        *_undecided(sources, snapshot, can_wait=queued is None or bool(queued)),
        *(finding for each in archives.values() for finding in _archive(each, snapshot, counts, selection)),
    )
    return Report(
        sources=sources,
        decided=_total(counts, DECIDED),
        destinations={name: _total(counts, name) for name in sorted({each for _, each in counts} - {DECIDED})},
        archived={name: contents.records + contents.odd + contents.unread for name, contents in archives.items()},
        removed={name: contents.removed for name, contents in archives.items()},
        files={name: contents.files for name, contents in archives.items()},
        queued=queued or {},
        queues_known=queued is not None,
        exceptions=_exceptions(snapshot),
        gathered={name: waiting for name, note in snapshot.notes.items() if (waiting := gathered(note))},
        findings=findings,
    )


def _source(
    source: str,
    snapshot: Snapshot,
    archives: Mapping[str, Contents],
    counts: Mapping[tuple[str, str], int],
    names: Mapping[str, tuple[str, str]],
) -> SourceReport:
    stated = snapshot.stated.get(source)
    decided = snapshot.sources.get(source) or SourceDecided(Extents(), 0, 0)
    service, host = names.get(source, (stated.input if stated else "", ""))
    held = {name: contents.sources.get(source) for name, contents in archives.items()}
    return SourceReport(
        source=source,
        path=stated.path if stated else "",
        service=service,
        host=host,
        lines=stated.lines if stated else -1,
        confirmed=stated.confirmed if stated else -1,
        decided=counts.get((source, DECIDED), 0),
        archived={name: each.records for name, each in held.items() if each},
        missing=tuple(_gaps(stated, decided.extents)),
        repeated=decided.repeated,
        late=decided.late,
    )


def _gaps(stated: SourceStatement | None, decided: Extents) -> list[tuple[int, int]]:
    """What was confirmed and is not decided; without a statement, what lies between decided positions."""
    first = min((start for start, _ in decided), default=0)
    begin = stated.start if stated else first
    end = max(stated.confirmed if stated else 0, decided.end)
    return decided.missing(begin, end)


def _waiting(queued: Mapping[str, int] | None, snapshot: Snapshot) -> Iterator[Finding]:
    if queued is None:
        yield Finding(UNRESOLVED, 0, "the broker could not be asked what waits in its queues")
    for name, messages in (queued or {}).items():
        yield Finding(UNRESOLVED, 0, f"{messages} messages wait in the queue {name}")
    for name in sorted(snapshot.outgoing):
        yield Finding(UNRESOLVED, 0, f"notifications of destination {name} wait in the ledger for the broker")
    for name, state in snapshot.aside.items():
        yield Finding(UNRESOLVED, 0, f"{state.records} records wait for destination {name}, which is set aside")


def _unread_notes(snapshot: Snapshot) -> Iterator[Finding]:
    for name, note in snapshot.notes.items():
        if gathered(note) is None:
            yield Finding(UNRESOLVED, 0, f"what destination {name} gathered cannot be read; its router sets it aside")


def _undecided(sources: tuple[SourceReport, ...], snapshot: Snapshot, *, can_wait: bool) -> Iterator[Finding]:
    for source in sources:
        size = sum(end - start for start, end in source.missing)
        if size:
            ranges = ", ".join(f"[{start}, {end})" for start, end in source.missing[:3])
            more = f" and {len(source.missing) - 3} more ranges" if len(source.missing) > 3 else ""
            text = f"{_named(source)}: {size} bytes were confirmed and not decided: {ranges}{more}"
            is_settling = (
                snapshot.is_running and snapshot.taken_at - snapshot.stated_at.get(source.source, 0.0) < SETTLING
            )
            yield Finding(UNRESOLVED if can_wait or is_settling else MISSING, size, text)
        stated = snapshot.stated.get(source.source)
        if stated and stated.read > max(stated.confirmed, snapshot_end(snapshot, source.source)):
            size = stated.read - stated.confirmed
            yield Finding(UNRESOLVED, 0, f"{_named(source)}: {size} bytes were published and not confirmed yet")


def snapshot_end(snapshot: Snapshot, source: str) -> int:
    """Up to where a source is decided."""
    decided = snapshot.sources.get(source)
    return decided.extents.end if decided else 0


def _archive(
    contents: Contents, snapshot: Snapshot, counts: Mapping[tuple[str, str], int], selection: Selection
) -> Iterator[Finding]:
    name = contents.destination
    for path, reason in contents.wrong.items():
        yield Finding(ALTERED, 1, f"{name}: {path}: {reason}")
    for source, held in contents.sources.items():
        yield from _held(name, source, held, snapshot)
    found = contents.records + contents.odd + contents.unread + contents.removed
    waiting = snapshot.aside[name].records if name in snapshot.aside else 0
    short = _total(counts, name) - waiting - found
    is_by_source = not (contents.removed or contents.unread or contents.odd)
    if selection.is_all and short > 0:
        text = f"{name}: {short} of the records that were decided for it are not in its files"
        yield Finding(MISSING, short, text)
    elif selection.is_all and short < 0:
        yield Finding(TWICE, -short, f"{name}: its files hold {-short} records more than were decided for it")
    elif is_by_source and not (contents.wrong or waiting):
        yield from _by_source(contents, counts)


def _held(name: str, source: str, held: Held, snapshot: Snapshot) -> Iterator[Finding]:
    if held.twice:
        text = f"{name}: source {source}: {len(held.twice)} records stand there twice, the first at {held.twice[0]}"
        yield Finding(TWICE, len(held.twice), text)
    decided = snapshot.sources.get(source)
    if held.disordered and not (decided and decided.late):
        text = f"{name}: source {source}: {held.disordered} records stand behind later ones, and none came late"
        yield Finding(DISORDERED, held.disordered, text)
    unknown = [
        start for start, end in held.extents if source != "-" and not (decided and decided.extents.covers(start, end))
    ]
    if unknown:
        text = f"{name}: source {source}: records at {unknown[0]} were never decided"
        yield Finding(ALTERED, len(unknown), text)


def _by_source(contents: Contents, counts: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    """Totals that agree may hide one record too few here and one too many there."""
    for (source, destination), records in counts.items():
        held = contents.sources.get(source)
        if destination == contents.destination and records > (held.records if held else 0):
            short = records - (held.records if held else 0)
            text = f"{contents.destination}: source {source}: {short} of {records} records are not in its files"
            yield Finding(MISSING, short, text)


def _exceptions(snapshot: Snapshot) -> dict[str, float]:
    totals = Counter[str]()
    for statement in snapshot.statements:
        for name in EXCEPTIONS:
            if count := statement.counted.get(name):
                totals[name] += int(count)
    return dict(totals)


def _named(source: SourceReport) -> str:
    return f"source {source.source}" + (f" ({source.path})" if source.path else "")


def _total(counts: Mapping[tuple[str, str], int], name: str) -> int:
    return sum(records for (_, destination), records in counts.items() if destination == name)
