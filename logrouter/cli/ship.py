"""`logrouter ship`: the shipper agent of a host, which publishes to RabbitMQ."""

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
    """Click callback: a plain word is the name of a preset, anything else is a pattern."""
    if not given:
        return []  # before pydantic is imported, because that is slow
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
    help="Compress messages with zstd, to about a tenth of their size. Third-party consumers must decompress them.",
)
@options.drain
@click.option("--stdin", is_flag=True, help="Ship standard input until it ends. Requires --service.")
@click.option("--service", metavar="NAME", help="With --stdin: the service that the lines belong to.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="info",
    show_default=True,
    metavar="SEVERITY",
    help=f"With --stdin: severity of lines that state none: {', '.join(SEVERITIES)}.",
)
@click.option(
    "--redact",
    multiple=True,
    metavar="KIND",
    callback=_redactions,
    help="With --file or --stdin: redact card, email, ip, bearer, url_password or an RE2 pattern. Can be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be published. Needs no broker and saves no checkpoint.")
@click.option("--json", "as_objects", is_flag=True, help="With --dry-run: print each record as one line of JSON.")
@click.option("--print-config", is_flag=True, help="Print the inputs with all defaults as YAML, then exit.")
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
    r"""Ship this host's logs to RabbitMQ.

    Follow files, read the journal, listen for syslog, and publish all lines to the exchange `log`. Inputs are read once
    at startup; SIGHUP does not reload them.

    With --stdin, the command exits when all input is confirmed. If a signal stops it earlier, the next `ship` sends
    what was read and not confirmed.

    \b
    logrouter ship --broker amqp://rabbit.example.org --file web='/var/log/nginx/*.log'
    logrouter ship --dry-run --file web='/var/log/nginx/*.log' --redact card --redact 'session=(\S+)'
    some-program | logrouter ship --stdin --service app
    """
    if stdin != bool(service):
        raise UserError("--stdin and --service must be used together", "--stdin --service NAME")
    if as_objects and not dry_run:
        raise UserError("--json can only be used with --dry-run", "--dry-run --json")
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
    from logrouter.observability.events import RELOAD_IGNORED

    sent = [replace(each, compressed=compress) for each in inputs]
    agent = shipping.build_agent(
        connect(broker, directory), sent, directory, host=host, instance=instance, workers=workers
    )
    until = drain_timeout if drain else math.inf if stdin else None
    runtime.run(lambda stop: shipping.ship(agent, stop, until), on_hangup=RELOAD_IGNORED.happened)
