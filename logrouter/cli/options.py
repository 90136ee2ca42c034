"""Options that several commands share, and what they come to when they are not given.

Each is also an environment variable, LOGROUTER_ and the option's name. In come option values, out go settings.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from logrouter.errors import UserError
from logrouter.support.terminal import encodable

F = TypeVar("F", bound=Callable[..., Any])

LEAST_MEMORY = 96 << 20
"""Bytes: what a router takes beside messages, and the least of these that it can work with."""

LOCAL_BROKER = "amqp://localhost"


def broker(default: str) -> Callable[[F], F]:
    """--broker, with the default of the command."""
    return click.option(
        "--broker",
        envvar="LOGROUTER_BROKER",
        default=default,
        show_default=True,
        metavar="URL",
        help="amqp://user:password@host[,host...]/vhost, amqps://..., or `embedded` (`up` alone).",
    )


def state(function: F) -> F:
    """--state."""
    return click.option(
        "--state",
        envvar="LOGROUTER_STATE",
        type=click.Path(path_type=Path, file_okay=False),
        help="Directory of positions and ledger. [default: /var/lib/logrouter for root, else ~/.local/state/logrouter]",
    )(function)


def instance(function: F) -> F:
    """--instance."""
    return click.option(
        "--instance",
        envvar="LOGROUTER_INSTANCE",
        default="main",
        show_default=True,
        metavar="NAME",
        callback=_check_instance,
        help="Which router; each instance gets every message.",
    )(function)


def inputs(function: F) -> F:
    """--config, --file and --host."""
    function = click.option(
        "--config",
        envvar="LOGROUTER_CONFIG",
        type=click.Path(path_type=Path, exists=True),
        help="Inputs, a file or directory. [default: ./shippers, /etc/logrouter/shippers, then the shipped ones]",
    )(function)
    function = host(function)
    return click.option(
        "--file",
        "files",
        multiple=True,
        metavar="SERVICE=GLOB",
        callback=_split_files,
        help="Follow these files from their start; may be given several times.",
    )(function)


def host(function: F) -> F:
    """--host."""
    return click.option(
        "--host",
        envvar="LOGROUTER_HOST",
        default=socket.gethostname,
        show_default="this machine's name",
        metavar="NAME",
        callback=lambda ctx, param, name: encodable(name),
        help="The host name that records carry.",
    )(function)


def listening(function: F) -> F:
    """--broker for commands that would rather find a running `up`."""
    return click.option(
        "--broker",
        envvar="LOGROUTER_BROKER",
        metavar="URL",
        help="amqp://user:password@host/vhost. [default: a running `logrouter up`, else amqp://localhost]",
    )(function)


def drain(function: F) -> F:
    """--drain and --drain-timeout."""
    function = click.option(
        "--drain-timeout",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="Give up draining after this long, with status 1.",
    )(function)
    return click.option("--drain", is_flag=True, help="Take what is there now until it is settled, then end.")(function)


def workers(function: F) -> F:
    """--workers."""
    return click.option(
        "--workers",
        envvar="LOGROUTER_WORKERS",
        type=click.IntRange(min=0, max=64),
        default=0,
        show_default=True,
        metavar="N",
        help="Processes that make records of lines beside this one, for hosts that write more than a core can read.",
    )(function)


def memory(function: F) -> F:
    """--memory."""
    return click.option(
        "--memory",
        envvar="LOGROUTER_MEMORY",
        default="192 MiB",
        show_default=True,
        metavar="SIZE",
        callback=_check_memory,
        help="What the router aims to stay within; of it a sixth may be messages in hand.",
    )(function)


def rules(function: F) -> F:
    """--rules."""
    return click.option(
        "--rules",
        "rules",
        envvar="LOGROUTER_RULES",
        type=click.Path(path_type=Path),
        help="Rules file or directory. [default: ./rules, /etc/logrouter/rules, then the shipped ones]",
    )(function)


def refuse_given(context: click.Context, why: str, *names: str) -> None:
    """Raise a usage error for options on the command line that do not go with another."""
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in context.command.params if param.name == name)
            raise click.UsageError(f"{option} does not go with {why}", context)


def refuse_embedded(url: str, command: str) -> None:
    """Raise UserError for the embedded broker where another process could not reach it."""
    if url == "embedded":
        raise UserError(
            f"`logrouter {command}` cannot use the embedded broker: it lives inside `logrouter up`",
            "`logrouter up` for everything in one process, or --broker amqp://HOST for RabbitMQ",
        )


def check_day(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """A click callback: a day such as 2026-11-22, or '' for none."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write one such as 2026-11-22", ctx, param) from None


def _split_files(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        service, separator, pattern = text.partition("=")
        if not separator or not service or not pattern:
            raise click.BadParameter(f"{text!r} is not SERVICE=GLOB, such as web=/var/log/nginx/*.log", ctx, param)
        pairs.append((service, pattern))
    return pairs


def _check_memory(ctx: click.Context, param: click.Parameter, text: str) -> int:
    from logrouter.config.units import parse_size

    try:
        size = parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error).replace("\n", "; "), ctx, param) from None
    if size < LEAST_MEMORY:
        raise click.BadParameter(f"{text!r} is too little; a router takes 96 MiB at least", ctx, param)
    return size


def _check_instance(ctx: click.Context, param: click.Parameter, name: str) -> str:
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise click.BadParameter("letters, digits, - and _ only: it becomes part of queue names", ctx, param)
    return name
