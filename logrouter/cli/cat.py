"""`logrouter cat`: read archives back as the original lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from logrouter.cli import options
from logrouter.cli.filters import parse_regex, parse_time
from logrouter.wire.record_filter import RecordFilter
from logrouter.wire.routing_key import SEVERITIES


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--since", metavar="TIME", callback=parse_time, help="From then on: 2h (ago), 2026-11-22T10:00.")
@click.option("--until", metavar="TIME", callback=parse_time, help="Before then.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="This severity and worse.")
@click.option("--grep", metavar="RE", callback=parse_regex, help="Messages in which this RE2 pattern is found.")
@click.option("--json", "as_objects", is_flag=True, help="One record a line, as JSON.")
@click.option("--raw", is_flag=True, help="On a terminal too: the exact bytes, whatever they do to it.")
@options.rules
@options.state
@click.pass_context
def command(
    context: click.Context,
    *,
    patterns: tuple[str, ...],
    since: str | None,
    until: str | None,
    severity: str | None,
    grep: Any,
    as_objects: bool,
    raw: bool,
    rules: Path | None,
    state: Path | None,
) -> None:
    r"""Print what the archives hold of keys that match PATTERNS (default: all), byte for byte.

    On a terminal control characters are written out, as \x1b; --raw prints them as they are. Status 1 if anything is
    left out; what and why is said.

    \b
    logrouter cat 'mail.#' --since 2h --grep 'timed out'
    """
    from logrouter.cli.archives import archive_records
    from logrouter.cli.output import is_on_terminal
    from logrouter.cli.record_format import as_json, as_written
    from logrouter.errors import LogrouterError
    from logrouter.wire.record import encode_lines, original

    selection = RecordFilter(patterns, severity, grep, since, until)
    archives = archive_records(rules, state, selection)
    is_exact = raw or not is_on_terminal()
    try:
        for record in archives:
            if is_exact:
                line = encode_lines([record]) if as_objects else original(record)
            else:
                line = (as_json(record) if as_objects else as_written(record)).encode()
            sys.stdout.buffer.write(line if line.endswith(b"\n") else line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        raise LogrouterError(f"standard output cannot be written: {error.strerror}") from error
    context.exit(0 if archives.outcome.is_whole else 1)
