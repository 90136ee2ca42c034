"""`logrouter publish`: publishes lines of standard input as records, as `logger` does for syslog."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from logrouter.cli import options
from logrouter.wire.routing_key import SEVERITIES


@click.command()
@click.option("--service", required=True, metavar="NAME", help="Service that the lines belong to.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    metavar="SEVERITY",
    help=f"Severity of all lines: {', '.join(SEVERITIES)}. [default: the one that each line states, else info]",
)
@options.host
@options.listening
@options.state
def command(service: str, severity: str | None, host: str, broker: str | None, state: Path | None) -> None:
    r"""Publish each line of standard input as a record.

    The routing key is SERVICE.HOST.SEVERITY. The command exits when the broker has confirmed all lines.

    \b
    echo 'backup finished' | logrouter publish --service backup --severity notice
    """
    from logrouter.app import runtime
    from logrouter.cli.broker_choice import find_broker
    from logrouter.cli.line_source import LineSource

    reached = find_broker(broker, state)
    typed = LineSource(service, host, severity)

    async def main(stop: asyncio.Event) -> None:
        async with reached.session() as session:
            while not stop.is_set() and (lines := await asyncio.to_thread(sys.stdin.buffer.readlines, 1 << 16)):
                await typed.publish(session, lines)

    runtime.run(main)
