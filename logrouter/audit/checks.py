"""The comparisons of an audit, each of which yields findings. Pure.

What is missing while messages wait may be among them. It is then unresolved, not missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from logrouter.audit.archives import ArchiveContents
from logrouter.audit.backlog import Backlog
from logrouter.audit.findings import ALTERED, DISORDERED, MISSING, TWICE, UNRESOLVED, Finding
from logrouter.audit.runs import ArchivedRecords
from logrouter.destinations.notify.pacing import gathered
from logrouter.errors import BrokerError
from logrouter.ledger.snapshot import LedgerSnapshot
from logrouter.ledger.source_status import SourceStatus
from logrouter.wire.ranges import format_ranges


def of_waiting(queued: Backlog | None, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """Find what is not settled yet. queued: None if the broker could not be asked."""
    if queued is None:
        yield Finding(UNRESOLVED, 0, "cannot ask the broker what waits in its queues")
    else:
        for name, messages in queued.waiting.items():
            yield Finding(UNRESOLVED, 0, f"{messages} messages wait in the queue {name}")
        if queued.unknown:
            yield Finding(UNRESOLVED, 0, _unknown(queued.unknown))
    for name in sorted(snapshot.outgoing):
        yield Finding(UNRESOLVED, 0, f"notifications of destination {name} wait in the ledger for the broker")
    for name, state in snapshot.aside.items():
        yield Finding(UNRESOLVED, 0, f"{state.records} records wait for destination {name}, which is set aside")
    yield from _unread_notes(snapshot)


def _unread_notes(snapshot: LedgerSnapshot) -> Iterator[Finding]:
    for name, note in snapshot.notes.items():
        if gathered(note) is None:
            text = f"cannot read what destination {name} gathered; its router sends it to the dead letters"
            yield Finding(UNRESOLVED, 0, text)


def _unknown(unknown: Mapping[str, BrokerError]) -> str:
    """Describe which depths are not known, why, and what to do about it."""
    (first, error), *others = unknown.items()
    text = f"cannot see what waits in the queue {first} ({error})"
    remedy = f"; {error.remedy}" if error.remedy else ""
    return f"{text}{remedy}" + (f"; likewise for {', '.join(name for name, _ in others)}" if others else "")


def of_standing(source: str, its: SourceStatus, *, may_come: bool) -> Iterator[Finding]:
    """Find what was confirmed of a source and is not decided. may_come: whether it may still be on its way."""
    name = f"source {source}" + (f" ({its.stated.path})" if its.stated and its.stated.path else "")
    kind = UNRESOLVED if may_come else MISSING
    if gaps := its.gaps:
        size = sum(end - start for start, end in gaps)
        yield Finding(kind, size, f"{name}: {size} bytes were confirmed and not decided: {format_ranges(gaps)}")
    if its.stated and (short := its.lines_short):
        text = f"{name}: {short} of {its.stated.lines} lines were confirmed and not decided, although their bytes were"
        yield Finding(kind, short, text)
    if its.unconfirmed:
        yield Finding(UNRESOLVED, 0, f"{name}: {its.unconfirmed} bytes were published and not confirmed yet")


def of_held(destination: str, source: str, its: ArchivedRecords, *, came_late: bool) -> Iterator[Finding]:
    """Find what an archive holds of a source twice, out of order or undecided. came_late: whether windows came late."""
    name = f"{destination}: source {source}"
    if its.twice:
        yield Finding(
            TWICE, its.twice, f"{name}: {its.twice} records are there twice, the first at position {its.first_twice}"
        )
    if its.disordered and not came_late:
        text = f"{name}: {its.disordered} records follow later ones, although no window came late"
        yield Finding(DISORDERED, its.disordered, text)
    if its.unknown:
        text = f"{name}: {its.unknown} records were never decided, the first at position {its.first_unknown}"
        yield Finding(ALTERED, its.unknown, text)


def of_chain(destination: str, source: str, previous: str, behind: int) -> Iterator[Finding]:
    """Find generations of a log that are out of order. behind: records of `previous` that follow those of `source`."""
    if behind:
        text = f"{destination}: source {source}: {behind} records of the earlier source {previous} follow its own"
        yield Finding(DISORDERED, behind, text)


def of_counted(destination: str, source: str, counted: int, found: int) -> Iterator[Finding]:
    """Find records of a source that an archive lacks. Totals hide it when another source has as many too many."""
    if counted > found:
        text = f"{destination}: source {source}: {counted - found} of {counted} records are not in its files"
        yield Finding(MISSING, counted - found, text)


def of_totals(contents: ArchiveContents, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """Find a difference between the records in an archive and those that were decided for it."""
    name = contents.destination
    waiting = snapshot.aside[name].records if name in snapshot.aside else 0
    found = contents.records + contents.odd + contents.unread + contents.removed + snapshot.removed.get(name, 0)
    short = snapshot.decided.get(name, 0) - waiting - found
    if short > 0:
        yield Finding(MISSING, short, f"{name}: {short} of the records that were decided for it are not in its files")
    elif short < 0:
        yield Finding(TWICE, -short, f"{name}: its files hold {-short} more records than were decided for it")


def of_days(contents: ArchiveContents, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """Find selected days of which an archive holds fewer records than were decided for it."""
    name = contents.destination
    if name in snapshot.aside or contents.wrong or contents.unread or contents.odd or contents.removed:
        return
    decided = {day: records for (destination, day), records in snapshot.days.items() if destination == name}
    removed_until = snapshot.removed_until.get(name, "")
    # In another time zone, a file of one day can hold records of the next.
    whole_from = (date.fromisoformat(removed_until) + timedelta(2)).isoformat() if removed_until else ""
    for day, records in sorted(decided.items()):
        if day >= whole_from and records > contents.days[day]:
            short = records - contents.days[day]
            text = f"{name}: {short} of the {records} records of {day} that were decided for it are not in its files"
            yield Finding(MISSING, short, text)


def is_told_by_source(contents: ArchiveContents, snapshot: LedgerSnapshot) -> bool:
    """Report whether the source of each record that was decided for an archive is known."""
    name = contents.destination
    unknown = contents.removed or snapshot.removed.get(name) or contents.unread or contents.odd
    return not (unknown or contents.wrong or name in snapshot.aside)
