"""`logrouter cat`: prints archived records as the original lines."""

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
@click.option(
    "--since",
    metavar="TIME",
    callback=parse_time,
    help="Show only records from this time on: 2h (ago) or 2026-11-22T10:00.",
)
@click.option("--until", metavar="TIME", callback=parse_time, help="Show only records before this time.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    metavar="SEVERITY",
    help=f"Show only records of this severity or worse: {', '.join(SEVERITIES)}.",
)
@click.option(
    "--grep", metavar="RE", callback=parse_regex, help="Show only records whose message matches this RE2 pattern."
)
@click.option("--json", "as_objects", is_flag=True, help="Print each record as one line of JSON.")
@click.option("--raw", is_flag=True, help="Print the exact bytes, even to a terminal.")
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
    r"""Print archived records as the original lines.

    PATTERNS select records by routing key, SERVICE.HOST.SEVERITY: `*` matches one word, `#` any number of words. By
    default, all records are printed.

    Lines are printed byte for byte, in the order of their time. Only on a terminal are control characters escaped, as
    in \x1b. The exit status is 1 if anything could not be read; standard error names it, with the reason.

    \b
    logrouter cat 'mail.#' --since 2h --grep 'timed out'
    """
    from logrouter.cli.archives import archive_records
    from logrouter.cli.output import is_on_terminal
    from logrouter.cli.record_format import as_json, as_text
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
                line = (as_json(record) if as_objects else as_text(record)).encode()
            sys.stdout.buffer.write(line if line.endswith(b"\n") else line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # because click exits quietly when the reader, such as `head`, closes the pipe
    except OSError as error:
        raise LogrouterError(f"cannot write to standard output: {error.strerror}") from error
    context.exit(0 if archives.outcome.is_whole else 1)
