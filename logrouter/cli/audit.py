"""`logrouter audit`: is every line accounted for? Status 0 whole, 1 something is wrong, 3 it cannot be said yet."""

from __future__ import annotations

from pathlib import Path

import click

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
) -> None:
    r"""Prove that every line is accounted for: read what the archives hold, and hold it against what was read.

    \b
    logrouter audit --state /var/lib/logrouter
    """
    from logrouter.audit.selection import Selection
    from logrouter.cli import auditing
    from logrouter.cli.printing import print_lines

    selection = Selection(since, until, host, service)
    report = auditing.report(broker, options.rules_path(rules), options.state_directory(state), instance, selection)
    print_lines(*([auditing.as_json(report)] if as_objects else auditing.in_words(report)))
    context.exit(report.status)
