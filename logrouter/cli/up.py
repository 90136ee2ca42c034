"""`logrouter up`: shipper, broker and router in one process, for one machine without a server."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path

import click

from logrouter.cli import options


@click.command()
@options.broker("embedded")
@options.rules
@options.state
@options.instance
@options.inputs
@options.drain
def command(
    *,
    broker: str,
    rules: Path | None,
    state: Path | None,
    instance: str,
    config: Path | None,
    files: list[tuple[str, str]],
    host: str,
    drain: bool,
    drain_timeout: float,
) -> None:
    r"""Follow this machine's logs, route and archive them, all in one process; no server needed.

    \b
    logrouter up --file web='/var/log/nginx/*.log'
    """
    from logrouter.broker import connect
    from logrouter.broker.contract import Broker
    from logrouter.broker.socket.server import serve
    from logrouter.cli import running, shipping
    from logrouter.cli.configured import rule_set
    from logrouter.cli.finding import socket_path
    from logrouter.cli.routing import open_routing
    from logrouter.router.router import route
    from logrouter.router.serving import Routing

    directory = options.state_directory(state)
    archives = options.archive_directory(directory)
    loaded = rule_set(options.rules_path(rules))
    inputs = shipping.chosen_inputs(config, files)

    async def main(stop: asyncio.Event, routing: Routing) -> None:
        reached = connect(broker, directory)
        async with serve(reached, socket_path(directory)) if broker == "embedded" else nullcontext():
            await follow_and_route(reached, stop, routing)

    async def follow_and_route(reached: Broker, stop: asyncio.Event, routing: Routing) -> None:
        agent = shipping.build_agent(reached, inputs, directory, host=host, instance=instance, excluded=(archives,))
        routed, drained = asyncio.Event(), asyncio.Event()
        router = asyncio.create_task(route(reached, routing, routed, drained))
        shipper = asyncio.create_task(shipping.ship(agent, stop, drain_timeout if drain else None))
        try:
            await asyncio.wait({router, shipper}, return_when=asyncio.FIRST_COMPLETED)
            if shipper.done() and drain:
                drained.set()
                await asyncio.wait({router}, timeout=drain_timeout)
        finally:
            stop.set()
            await asyncio.wait({shipper})
            routed.set()
            await asyncio.wait({router})
        for task in (router, shipper):
            task.result()

    with open_routing(loaded, directory, archives, instance) as routing:
        click.echo(f"archives are under {archives}", err=True)
        running.run(lambda stop: main(stop, routing))
