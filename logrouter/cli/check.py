"""`logrouter check`: prints every mistake and warning in rules, with its place."""

from __future__ import annotations

from pathlib import Path

import click

from logrouter.app import locations


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
def command(paths: tuple[Path, ...]) -> None:
    r"""Check rules for mistakes.

    PATHS are rules files or directories. By default, ./rules, /etc/logrouter/rules or the bundled rules are checked.

    All mistakes are reported at once, with warnings about rules that probably do not do what you intended. The exit
    status is 2 if there are mistakes; warnings do not affect it.

    \b
    logrouter check rules/
    """
    from logrouter.app.rule_files import load_checked
    from logrouter.cli.output import print_lines
    from logrouter.cli.tui.summary import counted
    from logrouter.config.document import yaml_files
    from logrouter.rules import checks

    chosen = paths or (locations.rules_path(None),)
    rules = load_checked(chosen)
    warnings = checks.warnings(rules.config)
    for warning in warnings:
        first, *others = warning.lines
        print_lines(f"warning: {first}", *others)
    examples = sum(len(entry.matching) + len(entry.missing) for entry in rules.config.rules)
    print_lines(
        f"{counted(len(list(yaml_files(chosen))), 'file')}: {counted(len(rules.config.rules), 'rule')}, "
        f"{counted(len(rules.config.destinations), 'destination')}, {counted(examples, 'example')} tested, "
        f"{counted(len(warnings), 'warning')}"
    )
