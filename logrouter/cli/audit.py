"""`logrouter audit`: verifies that every line is accounted for."""

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
    "--since", default="", metavar="DAY", callback=options.check_day, help="Audit only records from this day on (UTC)."
)
@click.option(
    "--until",
    default="",
    metavar="DAY",
    callback=options.check_day,
    help="Audit only records up to and including this day (UTC).",
)
@click.option("--host", default="", metavar="NAME", help="Audit only records of this host.")
@click.option("--service", default="", metavar="NAME", help="Audit only records of this service.")
@click.option("--json", "as_objects", is_flag=True, help="Print the full report as JSON, with every source.")
@click.option(
    "--forget",
    multiple=True,
    metavar="SOURCE",
    help="Instead of auditing, dismiss what is missing from this source, so that it no longer fails audits. "
    "Records that arrive late are still archived. Can be repeated.",
)
@click.option(
    "--forget-reporter",
    multiple=True,
    metavar="REPORTER",
    help="Instead of auditing, dismiss what is missing from every source that this reporter states. Can be repeated.",
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
    r"""Verify that every line is accounted for.

    Read all archives, and compare them with what shippers read and what the router decided. The exit status is 0 if
    every line is accounted for, 1 if something is missing or wrong, and 3 if there is no result yet, for example
    because messages are still queued.

    \b
    logrouter audit --state /var/lib/logrouter
    """
    directory = locations.state_directory(state)
    output = sys.stdout
    if forget or forget_reporter:
        from logrouter.cli.forget import dismiss

        dismiss(directory, instance, forget, forget_reporter, output.write)
        return
    from logrouter.cli import audit_report
    from logrouter.ledger.selection import Selection

    selection = Selection(since, until, host, service)
    plan = audit_report.AuditPlan(broker, locations.rules_path(rules), directory, instance)
    if as_objects:
        context.exit(audit_report.audit_as_json(plan, selection, output.write))
    context.exit(audit_report.audit_in_words(plan, selection, output.write))
