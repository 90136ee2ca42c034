"""What is held against what: a source's statement, an archive's totals, what waits. Pure.

In comes what is known, out go findings. What is missing while something waits may be what waits: then it is unresolved,
not missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from logrouter.audit.archives import Contents
from logrouter.audit.backlog import Queued
from logrouter.audit.findings import ALTERED, DISORDERED, MISSING, TWICE, UNRESOLVED, Finding
from logrouter.audit.runs import ArchivedRecords
from logrouter.destinations.notify.pacing import gathered
from logrouter.errors import BrokerError
from logrouter.ledger.snapshot import LedgerSnapshot
from logrouter.ledger.source_status import SourceStatus
from logrouter.wire.ranges import in_words


def of_waiting(queued: Queued | None, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """What has still to be settled. queued: None if the broker could not be asked."""
    if queued is None:
        yield Finding(UNRESOLVED, 0, "the broker could not be asked what waits in its queues")
    else:
        for name, messages in queued.waiting.items():
            yield Finding(UNRESOLVED, 0, f"{messages} messages wait in the queue {name}")
        if queued.unknown:
            yield Finding(UNRESOLVED, 0, _untold(queued.unknown))
    for name in sorted(snapshot.outgoing):
        yield Finding(UNRESOLVED, 0, f"notifications of destination {name} wait in the ledger for the broker")
    for name, state in snapshot.aside.items():
        yield Finding(UNRESOLVED, 0, f"{state.records} records wait for destination {name}, which is set aside")
    yield from _unread_notes(snapshot)


def _unread_notes(snapshot: LedgerSnapshot) -> Iterator[Finding]:
    for name, note in snapshot.notes.items():
        if gathered(note) is None:
            yield Finding(UNRESOLVED, 0, f"what destination {name} gathered cannot be read; its router sets it aside")


def _untold(unknown: Mapping[str, BrokerError]) -> str:
    """What the broker did not tell, why, and what to do about it."""
    (first, error), *others = unknown.items()
    text = f"the broker does not tell what waits in the queue {first} ({error})"
    remedy = f"; {error.remedy}" if error.remedy else ""
    return f"{text}{remedy}" + (f"; likewise of {', '.join(name for name, _ in others)}" if others else "")


def of_standing(source: str, its: SourceStatus, *, may_come: bool) -> Iterator[Finding]:
    """What was confirmed of a source and is not decided. may_come: it may be on its way."""
    name = f"source {source}" + (f" ({its.stated.path})" if its.stated and its.stated.path else "")
    kind = UNRESOLVED if may_come else MISSING
    if gaps := its.gaps:
        size = sum(end - start for start, end in gaps)
        yield Finding(kind, size, f"{name}: {size} bytes were confirmed and not decided: {in_words(gaps)}")
    if its.stated and (short := its.lines_short):
        text = (
            f"{name}: {short} of {its.stated.lines} lines were confirmed and not decided, though their positions were"
        )
        yield Finding(kind, short, text)
    if its.unconfirmed:
        yield Finding(UNRESOLVED, 0, f"{name}: {its.unconfirmed} bytes were published and not confirmed yet")


def of_held(destination: str, source: str, its: ArchivedRecords, *, came_late: bool) -> Iterator[Finding]:
    """What an archive has of a source and should not, or not so. came_late: some of its windows did."""
    name = f"{destination}: source {source}"
    if its.twice:
        yield Finding(
            TWICE, its.twice, f"{name}: {its.twice} records stand there twice, the first at {its.first_twice}"
        )
    if its.disordered and not came_late:
        text = f"{name}: {its.disordered} records stand behind later ones, and none came late"
        yield Finding(DISORDERED, its.disordered, text)
    if its.unknown:
        yield Finding(ALTERED, its.unknown, f"{name}: records at {its.first_unknown} were never decided")


def of_chain(destination: str, source: str, previous: str, behind: int) -> Iterator[Finding]:
    """Whether the generations of a log stand in their order."""
    if behind:
        text = f"{destination}: source {source}: {behind} records of {previous}, which came before it, stand behind it"
        yield Finding(DISORDERED, behind, text)


def of_counted(destination: str, source: str, counted: int, found: int) -> Iterator[Finding]:
    """Totals that agree may hide one record too few here and one too many there."""
    if counted > found:
        text = f"{destination}: source {source}: {counted - found} of {counted} records are not in its files"
        yield Finding(MISSING, counted - found, text)


def of_totals(contents: Contents, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """Whether an archive holds as many records as were decided for it in all."""
    name = contents.destination
    waiting = snapshot.aside[name].records if name in snapshot.aside else 0
    found = contents.records + contents.odd + contents.unread + contents.removed + snapshot.removed.get(name, 0)
    short = snapshot.decided.get(name, 0) - waiting - found
    if short > 0:
        yield Finding(MISSING, short, f"{name}: {short} of the records that were decided for it are not in its files")
    elif short < 0:
        yield Finding(TWICE, -short, f"{name}: its files hold {-short} records more than were decided for it")


def of_days(contents: Contents, snapshot: LedgerSnapshot) -> Iterator[Finding]:
    """Whether an archive holds as many as were decided for it on each day that is meant."""
    name = contents.destination
    if name in snapshot.aside or contents.wrong or contents.unread or contents.odd or contents.removed:
        return
    decided = {day: records for (destination, day), records in snapshot.days.items() if destination == name}
    removed_until = snapshot.removed_until.get(name, "")
    # A file of a day, in whatever time zone, may have had records of the day behind it.
    whole_from = (date.fromisoformat(removed_until) + timedelta(2)).isoformat() if removed_until else ""
    for day, records in sorted(decided.items()):
        if day >= whole_from and records > contents.days[day]:
            short = records - contents.days[day]
            text = f"{name}: {short} of the {records} records of {day} that were decided for it are not in its files"
            yield Finding(MISSING, short, text)


def is_told_by_source(contents: Contents, snapshot: LedgerSnapshot) -> bool:
    """Whether it is known of which source each record is that was decided for an archive."""
    name = contents.destination
    unknown = contents.removed or snapshot.removed.get(name) or contents.unread or contents.odd
    return not (unknown or contents.wrong or name in snapshot.aside)
