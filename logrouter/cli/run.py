"""`logrouter run`: the router, on RabbitMQ."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logrouter.cli import options


@click.command()
@options.broker(options.LOCAL_BROKER)
@options.rules
@options.state
@options.instance
@options.drain
def command(
    *, broker: str, rules: Path | None, state: Path | None, instance: str, drain: bool, drain_timeout: float
) -> None:
    r"""Run the router: take what shippers and others publish to the exchange `log` where the rules say.

    \b
    logrouter run --broker amqp://rabbit.example.org --rules /etc/logrouter/rules
    """
    options.refuse_embedded(broker, "run")
    from logrouter.broker import connect
    from logrouter.broker.contract import Broker
    from logrouter.cli import running
    from logrouter.cli.configured import rule_set
    from logrouter.cli.routing import open_routing
    from logrouter.errors import LogrouterError
    from logrouter.router.router import route
    from logrouter.router.serving import Routing

    directory = options.state_directory(state)

    async def main(stop: asyncio.Event, reached: Broker, routing: Routing) -> None:
        draining = asyncio.Event()
        if drain:
            draining.set()
        work = asyncio.create_task(route(reached, routing, stop, draining))
        done, _ = await asyncio.wait({work}, timeout=drain_timeout if drain else None)
        stop.set()
        await work
        if not done:
            raise LogrouterError(f"not drained after {drain_timeout:g} s: the queue of instance {instance} holds more")

    loaded = rule_set(options.rules_path(rules))
    with open_routing(loaded, directory, options.archive_directory(directory), instance) as routing:
        running.run(lambda stop: main(stop, connect(broker, directory), routing))
