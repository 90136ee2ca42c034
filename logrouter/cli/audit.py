"""`logrouter audit`: is every line accounted for? Status 0 whole, 1 something is wrong, 3 it cannot be said yet."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from logrouter.app import locations
from logrouter.cli import options


@click.command()
@options.listening
@options.rules
@options.state
@options.instance
@click.option(
    "--since", default="", metavar="DAY", callback=options.check_day, help="Only records of that day on (UTC)."
)
@click.option("--until", default="", metavar="DAY", callback=options.check_day, help="Only records up to that day.")
@click.option("--host", default="", help="Only records of that host.")
@click.option("--service", default="", help="Only records of that service.")
@click.option("--json", "as_objects", is_flag=True, help="The whole report as JSON, with every source.")
@click.option(
    "--forget",
    multiple=True,
    metavar="SOURCE",
    help="Instead: dismiss what this source lacks, so that it fails no audit; what comes late is still written.",
)
@click.option(
    "--forget-reporter", multiple=True, metavar="REPORTER", help="The same for every source that this reporter states."
)
@click.pass_context
def command(
    context: click.Context,
    *,
    broker: str | None,
    rules: Path | None,
    state: Path | None,
    instance: str,
    since: str,
    until: str,
    host: str,
    service: str,
    as_objects: bool,
    forget: tuple[str, ...],
    forget_reporter: tuple[str, ...],
) -> None:
    r"""Prove that every line is accounted for: read what the archives hold, and hold it against what was read.

    \b
    logrouter audit --state /var/lib/logrouter
    """
    directory = locations.state_directory(state)
    output = sys.stdout
    if forget or forget_reporter:
        from logrouter.cli import forget as dismissing

        dismissing.dismiss(directory, instance, forget, forget_reporter, output.write)
        return
    from logrouter.cli import audit_report as auditing
    from logrouter.ledger.selection import Selection

    selection = Selection(since, until, host, service)
    place = auditing.AuditPlan(broker, locations.rules_path(rules), directory, instance)
    if as_objects:
        context.exit(auditing.audit_as_json(place, selection, output.write))
    context.exit(auditing.audit_in_words(place, selection, output.write))
