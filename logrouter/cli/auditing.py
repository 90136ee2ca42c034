"""An audit put together from options, and its report in words or as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from logrouter.audit.accounts import ALTERED, DISORDERED, MISSING, TWICE, UNRESOLVED, Report, audit
from logrouter.audit.contents import Contents, read_contents
from logrouter.audit.queues import queue_depths
from logrouter.audit.selection import Selection
from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.broker.embedded.broker import FILE as EMBEDDED_FILE
from logrouter.cli import options
from logrouter.cli.finding import find_broker, socket_path
from logrouter.config.destinations import ArchiveModel
from logrouter.config.rules import load_rules
from logrouter.errors import BrokerError
from logrouter.ledger.ledger import DECIDED
from logrouter.ledger.snapshot import Snapshot, read_snapshot
from logrouter.printable import printable_json

_BROKER_SECONDS = 10.0
_TRIES = 3
_SHOWN = 20
"""Findings in words; JSON has them all."""


def report(url: str | None, rules: Path, state: Path, instance: str, selection: Selection) -> Report:
    """The report of an instance. Raises ConfigError, StateError."""
    config = load_rules([rules])
    for _ in range(_TRIES):
        snapshot = read_snapshot(state, instance)
        archives = {
            name: _contents(name, model, snapshot, options.archive_directory(state), selection)
            for name, model in config.destinations.items()
            if isinstance(model, ArchiveModel)
        }
        is_wrong = any(each.wrong for each in archives.values())
        if not is_wrong or read_snapshot(state, instance).files == snapshot.files:
            break  # else a file that is not what it should be may have been put away meanwhile
    names = {*config.destinations, *(counted.destination for counted in snapshot.counts)} - {DECIDED}
    queued = asyncio.run(_queued(_broker(url, state), instance, sorted(names)))
    return audit(snapshot, archives, queued, selection)


def _broker(url: str | None, state: Path) -> Broker:
    """The one that was asked for; else a running `up`, what an `up` left behind, or RabbitMQ on this machine."""
    if url in (None, "embedded") and not socket_path(state).is_socket() and (state / EMBEDDED_FILE).exists():
        return connect("embedded", state)
    return find_broker(url, state)


async def _queued(broker: Broker, instance: str, destinations: Sequence[str]) -> dict[str, int] | None:
    try:
        async with asyncio.timeout(_BROKER_SECONDS), broker.session() as session:
            return await queue_depths(session, instance, destinations)
    except (BrokerError, TimeoutError):
        return None


def _contents(name: str, model: ArchiveModel, snapshot: Snapshot, default: Path, selection: Selection) -> Contents:
    files = (file for file in snapshot.files if file.destination == name)
    chosen = [file for file in files if selection.is_near(file.day)]
    directory = Path(model.dir) if model.dir else default
    return read_contents(name, directory, chosen, selection, is_text=model.format == "text")


def as_json(report: Report) -> str:
    """All of it, on one line."""
    whole = msgspec.json.encode(
        {
            "status": report.status,
            "lines": report.lines,
            **{kind.replace(" ", "_"): report.amount(kind) for kind in (MISSING, TWICE, ALTERED, DISORDERED)},
            **msgspec.to_builtins(report),
        }
    )
    return printable_json(whole.decode())


def in_words(report: Report) -> list[str]:
    """The books, what is wrong, and the verdict, line by line."""
    stated = sum(1 for source in report.sources if source.lines >= 0)
    rows = [
        (
            "read",
            report.lines,
            f"records of {stated} source{'' if stated == 1 else 's'}, as their shippers say{_unsaid(report)}",
        ),
        ("decided", report.decided, "records, each once"),
    ]
    for name, records in report.destinations.items():
        rows.append((f"  to {name}", records, ""))
        if name in report.gathered:
            rows.append(("    gathered", report.gathered[name], "of these, to be told later"))
        if name in report.archived:
            rows.append(("    found", report.archived[name], f"in {report.files[name]} files"))
            if report.removed[name]:
                rows.append(("    removed", report.removed[name], "in files that are kept no longer"))
    rows += [(kind, report.amount(kind), "") for kind in (MISSING, TWICE, ALTERED, DISORDERED)]
    rows.append(("late", sum(source.late for source in report.sources), "windows out of their order, counted"))
    rows.append(("repeated", sum(source.repeated for source in report.sources), "records that came again, dropped"))
    rows.append(("queued", sum(report.queued.values()), "messages" if report.queues_known else "not known"))
    rows += [(name, int(count), "counted by shippers") for name, count in report.exceptions.items()]
    lines = [f"{name:<18}{count:>14,}  {note}".rstrip() for name, count, note in rows]
    shown = [f"{finding.kind}: {finding.text}" for finding in report.findings[:_SHOWN]]
    more = [f"and {len(report.findings) - _SHOWN} more; --json has all"] if len(report.findings) > _SHOWN else []
    return [*lines, *shown, *more, _verdict(report)]


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
    is_less = any(source.decided > max(source.lines, 0) for source in report.sources)
    return "; no statement covers the rest" if is_less else ""
