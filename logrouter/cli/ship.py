"""`logrouter ship`: the agent of a host, publishing to RabbitMQ."""

from __future__ import annotations

import math
from pathlib import Path

import click

from logrouter.cli import options
from logrouter.errors import UserError
from logrouter.keys import SEVERITIES


@click.command()
@options.broker(options.LOCAL_BROKER)
@options.state
@options.instance
@options.inputs
@options.drain
@click.option("--stdin", is_flag=True, help="Ship standard input, to its end; needs --service.")
@click.option("--service", metavar="NAME", help="The service of standard input.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="info",
    show_default=True,
    help="Of lines of standard input that state none.",
)
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
    stdin: bool,
    service: str | None,
    severity: str,
) -> None:
    r"""Ship this host's logs: follow files, listen for syslog, and publish all lines to the exchange `log`.

    With --stdin it ends when all that came is confirmed; what a signal makes it leave, the next `ship` sends.

    \b
    logrouter ship --broker amqp://rabbit.example.org --file web='/var/log/nginx/*.log'
    some-program | logrouter ship --stdin --service app
    """
    if stdin != bool(service):
        raise UserError("--stdin and --service go together", "--stdin --service NAME")
    options.refuse_embedded(broker, "ship")
    from logrouter.broker import connect
    from logrouter.cli import running, shipping

    directory = options.state_directory(state)
    inputs = shipping.chosen_inputs(config, files, (service, severity) if stdin and service else None)
    agent = shipping.build_agent(connect(broker, directory), inputs, directory, host=host, instance=instance)
    until = drain_timeout if drain else math.inf if stdin else None
    running.run(lambda stop: shipping.ship(agent, stop, until))
