"""An audit put together from options, and its report in words or as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from logrouter.app import locations
from logrouter.app.locations import socket_path
from logrouter.audit import evidence as books
from logrouter.audit.archives import Reading
from logrouter.audit.audit import Audit, Report, SourceReport
from logrouter.audit.backlog import Queued, look_into, queues_of
from logrouter.audit.evidence import Books
from logrouter.audit.findings import ALTERED, DISORDERED, MISSING, TWICE, UNRESOLVED
from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.broker.embedded.broker import FILE as EMBEDDED_FILE
from logrouter.cli.broker_choice import find_broker
from logrouter.config.destinations import ArchiveModel, DiscardModel
from logrouter.config.rules import load_rules
from logrouter.errors import BrokerError
from logrouter.ledger import snapshot
from logrouter.ledger.selection import Selection
from logrouter.router.topology import NOTE
from logrouter.support.terminal import printable, printable_json

_BROKER_SECONDS = 10.0

Write = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What is audited. broker: '' or None for the one that is found.   rules: where its rules are."""

    broker: str | None
    rules: Path
    state: Path
    instance: str


def audit_in_words(place: AuditPlan, selection: Selection, write: Write) -> int:
    """Write the books, what is wrong, and the verdict. The exit status. Raises ConfigError, StateError."""
    with books.opened(place.state, place.instance, selection) as opened:
        report = _audit(place, selection, opened)
        write(in_words(report))
        return report.status


def audit_as_json(place: AuditPlan, selection: Selection, write: Write) -> int:
    """Write the whole report as one JSON object, its sources as they come. The exit status.

    Raises ConfigError, StateError.
    """
    with books.opened(place.state, place.instance, selection) as opened:
        separator = iter(['{"sources": ['])

        def tell(source: SourceReport) -> None:
            write(next(separator, ", ") + _json(source))

        report = _audit(place, selection, opened, tell)
        write(next(separator, "") + '], "findings": [')
        for number, finding in enumerate(report.findings):
            write((", " if number else "") + _json(finding))
        kinds = {kind.replace(" ", "_"): report.findings.amount(kind) for kind in (MISSING, TWICE, ALTERED, DISORDERED)}
        rest = {each.name: getattr(report, each.name) for each in fields(report) if each.name != "findings"}
        write("], " + json.dumps({"status": report.status, **kinds, **rest})[1:] + "\n")
        return report.status


def _audit(
    place: AuditPlan, selection: Selection, opened: Books, tell: Callable[[SourceReport], None] | None = None
) -> Report:
    config = load_rules([place.rules])
    with snapshot.opened(place.state, place.instance) as now:
        archives = []
        for name, model in config.destinations.items():
            if isinstance(model, ArchiveModel):
                directory = Path(model.dir) if model.dir else locations.archive_directory(place.state)
                keep = partial(opened.add_run, name)
                reading = Reading(directory, selection, opened.findings, now.file, keep, previous=opened.previous)
                archives.append(reading.read(name, opened.files(name), is_text=model.format == "text"))
        names = sorted({*config.destinations, *opened.snapshot.destinations})
        models = config.destinations.items()
        inline = [name for name, model in models if isinstance(model, ArchiveModel | DiscardModel)]
        queues = queues_of(place.instance, names, inline, opened.snapshot.notes.get(NOTE, ""))
        queued = asyncio.run(_queued(_broker(place.broker, place.state), queues))
        return Audit(opened, archives, queued, selection).run(now.decided, tell)


def _json(each: Any) -> str:
    """A dataclass as JSON that a terminal can be given."""
    return printable_json(json.dumps(asdict(each), ensure_ascii=False))


def _broker(url: str | None, state: Path) -> Broker:
    """The one that was asked for; else a running `up`, what an `up` left behind, or RabbitMQ on this machine."""
    if url in (None, "embedded") and not socket_path(state).is_socket() and (state / EMBEDDED_FILE).exists():
        return connect("embedded", state)
    return find_broker(url, state)


async def _queued(broker: Broker, queues: Sequence[str]) -> Queued | None:
    try:
        async with asyncio.timeout(_BROKER_SECONDS), broker.session() as session:
            return await look_into(session, queues)
    except (BrokerError, TimeoutError):
        return None


def in_words(report: Report) -> str:
    """The books, what is wrong, and the verdict."""
    said = f"records of {report.stated} source{'' if report.stated == 1 else 's'}, as their shippers say"
    rows = [("read", report.lines, said + _unsaid(report)), ("decided", report.decided, "records, each once")]
    if report.at_rest:
        rows.append(("  at rest", report.at_rest, "of these, whose sources are told apart no longer"))
    for name, records in report.destinations.items():
        rows.append((f"  to {name}", records, ""))
        if name in report.gathered:
            rows.append(("    gathered", report.gathered[name], "of these, to be told later"))
        if name in report.archived:
            rows.append(("    found", report.archived[name], f"in {report.files[name]} files"))
            if report.removed[name]:
                rows.append(("    removed", report.removed[name], "in files that are kept no longer"))
    rows += [(kind, report.findings.amount(kind), "") for kind in (MISSING, TWICE, ALTERED, DISORDERED)]
    rows.append(("late", report.late, "windows out of their order, counted"))
    rows.append(("repeated", report.repeated, "records that came again, dropped"))
    rows.append(("queued", sum(report.queued.values()), "messages" if report.queues_known else "not known"))
    if report.healed:
        rows.append(("healed", report.healed, "records that the broker had lost and that came again"))
    if report.gone:
        rows.append(("gone", report.gone, "bytes that the broker lost and that nobody can read any more"))
    if report.forks:
        rows.append(("forks", len(report.forks), "state directories copied or set back, whose sources are told apart"))
    if report.dismissed:
        rows.append(("dismissed", report.dismissed, "sources by --forget, whatever they lack"))
    rows += [(name, count, "counted by shippers") for name, count in report.exceptions.items()]
    rows += [(name, count, "after a year") for name, count in report.given_up.items()]
    lines = [f"{name:<18}{count:>14,}  {note}".rstrip() for name, count, note in rows]
    findings = report.findings
    shown = [printable(f"{finding.kind}: {finding.text}") for finding in findings.first]
    left = len(findings) - len(shown)
    more = [f"and {left} more; --json has all"] if left else []
    return "\n".join([*lines, *shown, *more, _verdict(report), ""])


def _verdict(report: Report) -> str:
    if report.status == 0:
        return "whole: every line is accounted for"
    if report.status == 1:
        return "not whole: see above"
    return f"{UNRESOLVED}: not all is settled yet; ask again when it is"


def _unsaid(report: Report) -> str:
    """Why fewer are said to have been read than were decided, true whoever sent the rest.

    `publish` and other programs make no statements, and those of a shipper are a minute apart.
    """
    return "; no statement covers the rest" if report.is_unsaid else ""
