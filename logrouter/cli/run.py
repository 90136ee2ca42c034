"""`logrouter run`: runs the router on RabbitMQ."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import click

from logrouter.app import locations
from logrouter.cli import options


@click.command()
@options.broker(options.LOCAL_BROKER)
@options.rules
@options.state
@options.instance
@options.memory
@options.drain
def command(
    *,
    broker: str,
    rules: Path | None,
    state: Path | None,
    instance: str,
    memory: int,
    drain: bool,
    drain_timeout: float,
) -> None:
    r"""Run the router on RabbitMQ.

    Deliver each record on the exchange `log` to the destinations that the rules name. SIGHUP reloads the rules; if they
    contain a mistake, the current ones stay in use.

    \b
    logrouter run --broker amqp://rabbit.example.org --rules /etc/logrouter/rules
    """
    options.refuse_embedded(broker, "run")
    from logrouter.app import runtime
    from logrouter.app.router import Router, RouterPlan
    from logrouter.app.rule_files import rule_set
    from logrouter.broker import connect
    from logrouter.broker.contract import Broker
    from logrouter.errors import LogrouterError

    directory, reload = locations.state_directory(state), asyncio.Event()

    async def main(stop: asyncio.Event, reached: Broker, router: Router) -> None:
        draining = asyncio.Event()
        if drain:
            draining.set()
        work = asyncio.create_task(router.run(reached, stop, draining, reload))
        done, _ = await asyncio.wait({work}, timeout=drain_timeout if drain else None)
        stop.set()
        await work
        if not done:
            raise LogrouterError(
                f"draining did not finish in {drain_timeout:g} s: instance {instance} has not settled everything"
            )

    place = RouterPlan(locations.rules_path(rules), directory, locations.archive_directory(directory), instance, memory)
    with closing(Router(place, rule_set(place.rules))) as router:
        runtime.run(lambda stop: main(stop, connect(broker, directory), router), on_hangup=reload.set)
