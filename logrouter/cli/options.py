"""Options that several commands share, and what they come to when they are not given.

Each is also an environment variable, LOGROUTER_ and the option's name. In come option values, out go settings.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from logrouter.errors import UserError
from logrouter.printable import encodable

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[1]

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


def rules_path(chosen: Path | None) -> Path:
    """Where rules are: the option, ./rules, /etc/logrouter/rules, else the copy that came with the program."""
    if chosen is not None:
        if not chosen.exists():
            raise UserError(f"there is no {chosen}", "--rules with a file or directory of *.yaml")
        return chosen
    for directory in (Path("rules"), Path("/etc/logrouter/rules")):
        if any(directory.glob("*.y*ml")):
            return directory
    return shipped_rules()


def shipped_rules() -> Path:
    """The rules that came with the program."""
    shipped = _PACKAGE / "shipped" / "rules"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "rules"


def inputs_path(chosen: Path | None) -> Path:
    """Where inputs are configured: the option, ./shippers, /etc/logrouter/shippers, else what came with the program."""
    candidates = (chosen,) if chosen is not None else (Path("shippers"), Path("/etc/logrouter/shippers"))
    for path in candidates:
        if any(path.glob("*.y*ml")) if path.is_dir() else path.exists():
            return path
    if chosen is not None:
        raise UserError(f"there are no *.yaml files in {chosen}", "--config with a file or directory of inputs")
    return _PACKAGE.parent / "shippers"


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


def state_directory(chosen: Path | None) -> Path:
    """Where state is kept: the option, systemd's StateDirectory, root's /var/lib, else the XDG state directory."""
    if chosen is not None:
        return chosen
    if managed := os.environ.get("STATE_DIRECTORY"):
        return Path(managed.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/logrouter")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "logrouter"


def archive_directory(state: Path) -> Path:
    """Where archives go that name no directory of their own."""
    return Path("/var/log/central") if os.geteuid() == 0 and state == Path("/var/lib/logrouter") else state / "archive"


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
