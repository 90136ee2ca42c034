"""Runs an audit with the options of the command, and writes its report in words or as JSON."""

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
from logrouter.audit.archives import ArchiveReader
from logrouter.audit.audit import Audit, Report, SourceReport
from logrouter.audit.backlog import Backlog, look_into, queues_of
from logrouter.audit.evidence import Evidence
from logrouter.audit.findings import ALTERED, DISORDERED, MISSING, TWICE, UNRESOLVED
from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.broker.embedded.broker import FILE as EMBEDDED_FILE
from logrouter.cli.broker_choice import find_broker
from logrouter.cli.tui.summary import counted
from logrouter.config.destinations import ArchiveModel, DiscardModel
from logrouter.config.rules import load_rules
from logrouter.errors import BrokerError
from logrouter.ledger import snapshot
from logrouter.ledger.selection import Selection
from logrouter.router.topology import NOTE
from logrouter.support.terminal import printable, printable_json

_BROKER_SECONDS = 10.0
"""Timeout for inspecting the queues; after that their depths are unknown."""

Write = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What to audit. broker: its URL, or None to find it (see `_broker`).   rules: the path of the rules."""

    broker: str | None
    rules: Path
    state: Path
    instance: str


def audit_in_words(plan: AuditPlan, selection: Selection, write: Write) -> int:
    """Write the counts, the findings and the verdict. Return the exit status. Raises ConfigError, StateError."""
    with books.opened(plan.state, plan.instance, selection) as opened:
        report = _audit(plan, selection, opened)
        write(in_words(report))
        return report.status


def audit_as_json(plan: AuditPlan, selection: Selection, write: Write) -> int:
    """Write the report as one JSON object, each source as soon as it is audited. Return the exit status.

    Raises ConfigError, StateError.
    """
    with books.opened(plan.state, plan.instance, selection) as opened:
        separator = iter(['{"sources": ['])

        def report_source(source: SourceReport) -> None:
            write(next(separator, ", ") + _json(source))

        report = _audit(plan, selection, opened, report_source)
        write(next(separator, "") + '], "findings": [')
        for number, finding in enumerate(report.findings):
            write((", " if number else "") + _json(finding))
        kinds = {kind.replace(" ", "_"): report.findings.amount(kind) for kind in (MISSING, TWICE, ALTERED, DISORDERED)}
        rest = {each.name: getattr(report, each.name) for each in fields(report) if each.name != "findings"}
        write("], " + json.dumps({"status": report.status, **kinds, **rest})[1:] + "\n")
        return report.status


def _audit(
    plan: AuditPlan, selection: Selection, opened: Evidence, report_source: Callable[[SourceReport], None] | None = None
) -> Report:
    config = load_rules([plan.rules])
    with snapshot.opened(plan.state, plan.instance) as now:
        archives = []
        for name, model in config.destinations.items():
            if isinstance(model, ArchiveModel):
                directory = Path(model.dir) if model.dir else locations.archive_directory(plan.state)
                keep = partial(opened.add_run, name)
                reading = ArchiveReader(directory, selection, opened.findings, now.file, keep, previous=opened.previous)
                archives.append(reading.read(name, opened.files(name), is_text=model.format == "text"))
        names = sorted({*config.destinations, *opened.snapshot.destinations})
        models = config.destinations.items()
        inline = [name for name, model in models if isinstance(model, ArchiveModel | DiscardModel)]
        queues = queues_of(plan.instance, names, inline, opened.snapshot.notes.get(NOTE, ""))
        queued = asyncio.run(_queued(_broker(plan.broker, plan.state), queues))
        return Audit(opened, archives, queued, selection).run(now.decided, report_source)


def _json(each: Any) -> str:
    """Return a dataclass as JSON that is safe on a terminal."""
    return printable_json(json.dumps(asdict(each), ensure_ascii=False))


def _broker(url: str | None, state: Path) -> Broker:
    """Return the broker at `url`. If None, a running `up`, the embedded broker of a stopped `up`, or RabbitMQ here."""
    if url in (None, "embedded") and not socket_path(state).is_socket() and (state / EMBEDDED_FILE).exists():
        return connect("embedded", state)
    return find_broker(url, state)


async def _queued(broker: Broker, queues: Sequence[str]) -> Backlog | None:
    try:
        async with asyncio.timeout(_BROKER_SECONDS), broker.session() as session:
            return await look_into(session, queues)
    except (BrokerError, TimeoutError):
        return None


def in_words(report: Report) -> str:
    """Return the counts, the findings and the verdict as text."""
    stated = f"records of {counted(report.stated, 'source')}, as stated by shippers"
    rows = [("read", report.lines, stated + _coverage(report)), ("decided", report.decided, "distinct records")]
    if report.at_rest:
        rows.append(("  at rest", report.at_rest, "of these, from sources that are now kept only as totals"))
    for name, records in report.destinations.items():
        rows.append((f"  to {name}", records, ""))
        if name in report.gathered:
            rows.append(("    gathered", report.gathered[name], "of these, not sent yet"))
        if name in report.archived:
            rows.append(("    found", report.archived[name], f"in {counted(report.files[name], 'file')}"))
            if report.removed[name]:
                rows.append(("    removed", report.removed[name], "in files deleted by `keep`"))
    rows += [(kind, report.findings.amount(kind), "") for kind in (MISSING, TWICE, ALTERED, DISORDERED)]
    rows.append(("late", report.late, "windows that arrived too late to be put in order"))
    rows.append(("repeated", report.repeated, "duplicate records, discarded"))
    rows.append(("queued", sum(report.queued.values()), "messages" if report.queues_known else "unknown"))
    if report.healed:
        rows.append(("healed", report.healed, "records lost by the broker and sent again"))
    if report.gone:
        rows.append(("gone", report.gone, "bytes lost by the broker that can no longer be read"))
    if report.forks:
        rows.append(("forks", len(report.forks), "state directories copied or restored; their sources are kept apart"))
    if report.dismissed:
        rows.append(("dismissed", report.dismissed, "sources, by --forget"))
    rows += [(name, count, "counted by shippers") for name, count in report.exceptions.items()]
    rows += [(name, count, "after a year") for name, count in report.given_up.items()]
    lines = [f"{name:<18}{count:>14,}  {note}".rstrip() for name, count, note in rows]
    findings = report.findings
    shown = [printable(f"{finding.kind}: {finding.text}") for finding in findings.first]
    left = len(findings) - len(shown)
    more = [f"and {left} more; use --json to see all"] if left else []
    return "\n".join([*lines, *shown, *more, _verdict(report), ""])


def _verdict(report: Report) -> str:
    if report.status == 0:
        return "ok: every line is accounted for"
    if report.status == 1:
        return "failed: see the findings above"
    return f"{UNRESOLVED}: not everything is settled yet; run the audit again later"


def _coverage(report: Report) -> str:
    """Return the reason why fewer records were stated than decided, if so.

    `publish` and other programs make no statements, and a shipper makes one a minute.
    """
    return "; the rest is not covered by a statement" if report.is_unsaid else ""
