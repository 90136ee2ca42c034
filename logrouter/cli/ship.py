"""`logrouter ship`: the agent of a host, publishing to RabbitMQ."""

from __future__ import annotations

from pathlib import Path

import click

from logrouter.cli import options


@click.command()
@options.broker(options.LOCAL_BROKER)
@options.state
@options.instance
@options.inputs
@options.drain
def command(
    *,
    broker: str,
    state: Path | None,
    instance: str,
    config: Path | None,
    files: list[tuple[str, str]],
    host: str,
    drain: bool,
    drain_timeout: float,
) -> None:
    r"""Ship this host's logs: follow files and publish their lines to the exchange `log`.

    \b
    logrouter ship --broker amqp://rabbit.example.org --file web='/var/log/nginx/*.log'
    """
    options.refuse_embedded(broker, "ship")
    from logrouter.broker import connect
    from logrouter.cli import running, shipping

    directory = options.state_directory(state)
    inputs = shipping.chosen_inputs(config, files)
    agent = shipping.build_agent(connect(broker, directory), inputs, directory, host=host, instance=instance)
    running.run(lambda stop: shipping.ship(agent, stop, drain_timeout if drain else None))
