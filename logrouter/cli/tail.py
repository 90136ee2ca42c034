"""`logrouter tail`: shows records live as they are published."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from logrouter.cli import options
from logrouter.cli.filters import parse_regex, parse_time, patterns_or_all
from logrouter.wire.record import Record
from logrouter.wire.record_filter import RecordFilter
from logrouter.wire.routing_key import SEVERITIES


@click.command()
@click.argument("patterns", nargs=-1)
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    metavar="SEVERITY",
    help=f"Show only records of this severity or worse: {', '.join(SEVERITIES)}.",
)
@click.option(
    "--grep", metavar="RE", callback=parse_regex, help="Show only records whose message matches this RE2 pattern."
)
@click.option(
    "--since",
    metavar="TIME",
    callback=parse_time,
    help="First show archived records from this time on: 2h (ago) or 2026-11-22T10:00.",
)
@click.option("--json", "as_objects", is_flag=True, help="Print each record as one line of JSON.")
@options.listening
@options.rules
@options.state
@click.pass_context
def command(
    context: click.Context,
    patterns: tuple[str, ...],
    severity: str | None,
    grep: Any,
    since: str | None,
    *,
    as_objects: bool,
    broker: str | None,
    rules: Path | None,
    state: Path | None,
) -> None:
    r"""Show records live as they are published.

    PATTERNS select records by routing key, SERVICE.HOST.SEVERITY: `*` matches one word, `#` any number of words. By
    default, all records that pass through the exchange `log` are shown.

    With --since, the exit status is 1 if the archive could not be read in full.

    \b
    logrouter tail 'mail.*.error' 'web.#'
    """
    from logrouter.app import runtime
    from logrouter.cli.archives import archive_records
    from logrouter.cli.broker_choice import find_broker
    from logrouter.cli.listener import listen
    from logrouter.cli.record_format import printer

    reached = find_broker(broker, state)
    selection = RecordFilter(tuple(patterns), severity, grep, since)
    past = archive_records(rules, state, selection) if since else None
    show = printer(as_objects=as_objects)

    async def main(stop: asyncio.Event) -> None:
        def take(records: list[Record]) -> None:
            click.echo("\n".join(map(show, records)))

        await listen(reached, patterns_or_all(patterns), selection, take, stop, past=past or ())

    runtime.run(main)
    context.exit(0 if past is None or past.outcome.is_whole else 1)
