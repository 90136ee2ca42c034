"""Options that several commands share, and their defaults.

An option with an `envvar` can also be set as the environment variable LOGROUTER_ and its name.
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
"""Bytes that a router needs: its own memory, plus the smallest budget for messages that it can work with."""

LOCAL_BROKER = "amqp://localhost"


def broker(default: str) -> Callable[[F], F]:
    """Add --broker, with this default."""
    or_embedded = ", or `embedded` for the one inside this process" if default == "embedded" else ""
    return click.option(
        "--broker",
        envvar="LOGROUTER_BROKER",
        default=default,
        show_default=True,
        metavar="URL",
        help=f"Broker to use: amqp[s]://user:password@host[,host...]/vhost{or_embedded}.",
    )


def state(function: F) -> F:
    """Add --state."""
    return click.option(
        "--state",
        envvar="LOGROUTER_STATE",
        type=click.Path(path_type=Path, file_okay=False),
        help="State directory, which holds the ledger and checkpoints. "
        "[default: /var/lib/logrouter for root, else ~/.local/state/logrouter]",
    )(function)


def instance(function: F) -> F:
    """Add --instance."""
    return click.option(
        "--instance",
        envvar="LOGROUTER_INSTANCE",
        default="main",
        show_default=True,
        metavar="NAME",
        callback=_check_instance,
        help="Name of the router instance. Every instance receives all messages.",
    )(function)


def inputs(function: F) -> F:
    """Add --config, --file and --host."""
    function = click.option(
        "--config",
        envvar="LOGROUTER_CONFIG",
        type=click.Path(path_type=Path, exists=True),
        help="Inputs file or directory. [default: ./shippers, /etc/logrouter/shippers, then the bundled inputs]",
    )(function)
    function = host(function)
    return click.option(
        "--file",
        "files",
        multiple=True,
        metavar="SERVICE=GLOB",
        callback=_split_files,
        help="Follow these files from the beginning. Can be repeated.",
    )(function)


def host(function: F) -> F:
    """Add --host."""
    return click.option(
        "--host",
        envvar="LOGROUTER_HOST",
        default=socket.gethostname,
        show_default="this machine's name",
        metavar="NAME",
        callback=lambda ctx, param, name: encodable(name),
        help="Host name to put in records.",
    )(function)


def listening(function: F) -> F:
    """Add --broker for commands that use a running `up` by default."""
    return click.option(
        "--broker",
        envvar="LOGROUTER_BROKER",
        metavar="URL",
        help="Broker to use: amqp[s]://user:password@host[,host...]/vhost. [default: a running `logrouter up`, else amqp://localhost]",
    )(function)


def drain(function: F) -> F:
    """Add --drain and --drain-timeout."""
    function = click.option(
        "--drain-timeout",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="With --drain: exit with status 1 if draining takes longer.",
    )(function)
    return click.option("--drain", is_flag=True, help="Process what is available now, then exit.")(function)


def workers(function: F) -> F:
    """Add --workers."""
    return click.option(
        "--workers",
        envvar="LOGROUTER_WORKERS",
        type=click.IntRange(min=0, max=64),
        default=0,
        show_default=True,
        metavar="N",
        help="Extra processes that parse lines, for hosts that write more than one core can parse.",
    )(function)


def memory(function: F) -> F:
    """Add --memory."""
    return click.option(
        "--memory",
        envvar="LOGROUTER_MEMORY",
        default="192 MiB",
        show_default=True,
        metavar="SIZE",
        callback=_check_memory,
        help="Memory that the router tries to stay within. Messages in flight use up to a sixth of it.",
    )(function)


def rules(function: F) -> F:
    """Add --rules."""
    return click.option(
        "--rules",
        "rules",
        envvar="LOGROUTER_RULES",
        type=click.Path(path_type=Path),
        help="Rules file or directory. [default: ./rules, /etc/logrouter/rules, then the bundled rules]",
    )(function)


def refuse_given(context: click.Context, why: str, *names: str) -> None:
    """Raise UsageError if one of these parameters is on the command line. why: the option that it conflicts with."""
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in context.command.params if param.name == name)
            raise click.UsageError(f"{option} cannot be used with {why}", context)


def refuse_embedded(url: str, command: str) -> None:
    """Raise UserError if `url` is the embedded broker, which only `logrouter up` can run."""
    if url == "embedded":
        raise UserError(
            f"`logrouter {command}` cannot use the embedded broker, which runs inside `logrouter up`",
            "`logrouter up` for everything in one process, or --broker amqp://HOST for RabbitMQ",
        )


def check_day(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """Click callback: return the day as ISO 8601, or '' if there is none."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a date; use YYYY-MM-DD, such as 2026-11-22", ctx, param) from None


def _split_files(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        service, separator, pattern = text.partition("=")
        if not separator or not service or not pattern:
            raise click.BadParameter(
                f"{text!r} is not SERVICE=GLOB; use, for example, web=/var/log/nginx/*.log", ctx, param
            )
        pairs.append((service, pattern))
    return pairs


def _check_memory(ctx: click.Context, param: click.Parameter, text: str) -> int:
    from logrouter.config.units import parse_size

    try:
        size = parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error).replace("\n", "; "), ctx, param) from None
    if size < LEAST_MEMORY:
        raise click.BadParameter(f"{text!r} is too small; a router needs at least 96 MiB", ctx, param)
    return size


def _check_instance(ctx: click.Context, param: click.Parameter, name: str) -> str:
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise click.BadParameter(
            "use only letters, digits, - and _, because it becomes part of queue names", ctx, param
        )
    return name
