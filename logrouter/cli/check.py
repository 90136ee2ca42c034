"""`logrouter check`: are these rules what they are meant to be? Prints every mistake and warning with its place."""

from __future__ import annotations

from pathlib import Path

import click

from logrouter.app import locations


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
def command(paths: tuple[Path, ...]) -> None:
    r"""Check rules: every mistake at once, and what is probably not meant. Status 2 if anything is wrong.

    \b
    logrouter check rules/
    """
    from logrouter.app.rule_files import checked_rules
    from logrouter.cli.output import print_lines
    from logrouter.cli.tui.summary import counted
    from logrouter.config.document import yaml_files
    from logrouter.rules import checks

    chosen = paths or (locations.rules_path(None),)
    rules = checked_rules(chosen)
    warnings = checks.warnings(rules.config)
    for warning in warnings:
        first, *others = warning.lines
        print_lines(f"warning: {first}", *others)
    examples = sum(len(entry.matching) + len(entry.missing) for entry in rules.config.rules)
    print_lines(
        f"{counted(len(list(yaml_files(chosen))), 'file')}: {len(rules.config.rules)} rules, "
        f"{len(rules.config.destinations)} destinations, {examples} examples hold, {len(warnings)} warnings"
    )
