"""`logrouter ship`: the agent of a host, publishing to RabbitMQ."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logrouter.app import locations
from logrouter.cli import options
from logrouter.errors import UserError
from logrouter.wire.routing_key import SEVERITIES

if TYPE_CHECKING:
    from logrouter.config.text_settings import RedactModel
    from shippers.redact.redaction import Redaction


def _redactions(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> list[RedactModel]:
    """A click callback: a plain word is the name of a preset, anything else a pattern."""
    if not given:
        return []  # and what checks them is not loaded
    from pydantic import ValidationError

    from logrouter.config.text_settings import RedactModel

    found = []
    for text in given:
        try:
            found.append(RedactModel(preset=text) if text.isidentifier() else RedactModel(pattern=text))
        except ValidationError as error:
            problem = str(error.errors()[0]["ctx"]["error"]).replace("\n", "; ")
            raise click.BadParameter(problem, ctx, param) from None
    return found


def _redaction(models: list[RedactModel]) -> Redaction | None:
    if not models:
        return None
    from shippers.settings import redaction

    return redaction(models)


@click.command()
@options.broker(options.LOCAL_BROKER)
@options.state
@options.instance
@options.inputs
@options.workers
@click.option(
    "--compress",
    envvar="LOGROUTER_COMPRESS",
    is_flag=True,
    help="Send messages as zstd, a tenth as large; listeners other than ours must unpack them.",
)
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
@click.option(
    "--redact",
    multiple=True,
    metavar="KIND",
    callback=_redactions,
    help="Of --file and --stdin: card, email, ip, bearer, url_password, or an RE2 pattern; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be published; needs no broker, moves no position.")
@click.option("--json", "as_objects", is_flag=True, help="With --dry-run: one record a line, as JSON.")
@click.option("--print-config", is_flag=True, help="Print what was understood of the inputs, as YAML.")
def command(
    *,
    broker: str,
    state: Path | None,
    instance: str,
    config: Path | None,
    files: list[tuple[str, str]],
    host: str,
    workers: int,
    compress: bool,
    drain: bool,
    drain_timeout: float,
    stdin: bool,
    service: str | None,
    severity: str,
    redact: list[RedactModel],
    dry_run: bool,
    as_objects: bool,
    print_config: bool,
) -> None:
    r"""Ship this host's logs: follow files, listen for syslog, and publish all lines to the exchange `log`.

    With --stdin it ends when all that came is confirmed; what a signal makes it leave, the next `ship` sends. Inputs
    are read when it starts: SIGHUP changes nothing.

    \b
    logrouter ship --broker amqp://rabbit.example.org --file web='/var/log/nginx/*.log'
    logrouter ship --dry-run --file web='/var/log/nginx/*.log' --redact card --redact 'session=(\S+)'
    some-program | logrouter ship --stdin --service app
    """
    if stdin != bool(service):
        raise UserError("--stdin and --service go together", "--stdin --service NAME")
    if as_objects and not dry_run:
        raise UserError("--json goes with --dry-run", "--dry-run --json")
    if not (dry_run or print_config):
        options.refuse_embedded(broker, "ship")
    from logrouter.app import shipper as shipping
    from shippers.arguments import from_stdin

    directory = locations.state_directory(state)
    configured = shipping.configuration(config, files, stdin=stdin)
    if print_config:
        from logrouter.cli.print_config import as_yaml, with_arguments

        click.echo(as_yaml(with_arguments(configured, files, redact), host), nl=False)
        return
    redaction = _redaction(redact)
    inputs = shipping.inputs_of(configured, files, redaction)
    if service:
        inputs.append(from_stdin(service, severity, redaction))
    from logrouter.app import runtime

    if dry_run:
        from logrouter.cli.dry_run import try_out

        runtime.log_to(logging.StreamHandler())
        try_out(inputs, host, excluded=(directory,), as_objects=as_objects)
        return
    from logrouter.broker import connect
    from logrouter.observability.events import INPUTS_KEPT

    sent = [replace(each, compressed=compress) for each in inputs]
    agent = shipping.build_agent(
        connect(broker, directory), sent, directory, host=host, instance=instance, workers=workers
    )
    until = drain_timeout if drain else math.inf if stdin else None
    runtime.run(lambda stop: shipping.ship(agent, stop, until), hung_up=INPUTS_KEPT.happened)
