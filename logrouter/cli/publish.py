"""`logrouter publish`: lines from standard input as records, like `logger`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from logrouter.cli import options
from logrouter.wire.routing_key import SEVERITIES


@click.command()
@click.option("--service", required=True, help="The service that the lines belong to.")
@click.option(
    "--severity", type=click.Choice(SEVERITIES), help="Of all lines. [default: what each line says, else info]"
)
@options.host
@options.listening
@options.state
def command(service: str, severity: str | None, host: str, broker: str | None, state: Path | None) -> None:
    r"""Publish each line of standard input under SERVICE.HOST.SEVERITY; ends when all are confirmed.

    \b
    echo 'backup finished' | logrouter publish --service backup --severity notice
    """
    from logrouter.app import runtime
    from logrouter.cli.broker_choice import find_broker
    from logrouter.cli.line_source import Typed

    reached = find_broker(broker, state)
    typed = Typed(service, host, severity)

    async def main(stop: asyncio.Event) -> None:
        async with reached.session() as session:
            while not stop.is_set() and (lines := await asyncio.to_thread(sys.stdin.buffer.readlines, 1 << 16)):
                await typed.publish(session, lines)

    runtime.run(main)
