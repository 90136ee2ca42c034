"""`logrouter explain`: shows which rules a record is tried against, which of them match, why, and where it goes."""

from __future__ import annotations

from pathlib import Path

import click

from logrouter.app import locations
from logrouter.cli import options


@click.command()
@click.argument("key")
@click.option("--line", default="", metavar="TEXT", help="Message, for rules that test the message.")
@options.rules
def command(key: str, line: str, rules: Path | None) -> None:
    r"""Show which rules match a record, and where it goes.

    KEY is the routing key of the record: SERVICE.HOST.SEVERITY.

    \b
    logrouter explain mail.mx1.error --line 'connection timed out'
    """
    from logrouter.cli.output import print_lines, styled
    from logrouter.config.rules import load_rules
    from logrouter.rules.checks import example_record
    from logrouter.rules.ruleset import RuleSet

    loaded = RuleSet(load_rules([locations.rules_path(rules)]))
    record_key, record = example_record(f"{key} {line}")
    verdicts = loaded.explain(record_key, record)
    for verdict in verdicts:
        mark = styled("yes", fg="green") if verdict.matched else styled("no ", dim=True)
        click.echo(f"{mark}  {styled(f'{verdict.rule.name}  ({verdict.rule.place}): {verdict.reason}')}")
    decided = any(verdict.matched and not verdict.rule.continues for verdict in verdicts)
    if not decided:
        click.echo(f"{styled('yes', fg='green')}  default: no rule without `continue` matched")
    print_lines(f"{key} goes to {', '.join(loaded.destinations(record_key, record))}")
