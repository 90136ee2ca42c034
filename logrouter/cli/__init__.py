"""The command line. Each command is one file, imported only when it is used, which keeps `ship` quick and light.

The exit status is 0 for success, 1 for a failure at run time and 2 for a mistake of the user.
"""

from __future__ import annotations

import gc
import importlib
import io
import sys
import traceback
from types import TracebackType

import click

from logrouter import __version__
from logrouter.cli.output import print_lines
from logrouter.errors import LogrouterError, UserError
from logrouter.support.terminal import printable

COMMANDS = ("up", "tail", "cat", "publish", "ship", "run", "check", "explain", "audit")
"""In the order of `--help`: the commands that a new user needs first come first."""

_GC_THRESHOLD = 100_000
"""More objects than a command loads. Almost none of them is ever garbage: looking for it took 10 % of the startup."""


class LazyGroup(click.Group):
    """A group that imports a command's file only when the command is named (or listed)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"logrouter.cli.{name}").command
        assert isinstance(command, click.Command)
        return _keep_line_breaks(command)


def _keep_line_breaks(command: click.Command) -> click.Command:
    r"""Turn each line `\b` into the character U+0008, which tells click not to wrap the paragraph that follows."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="logrouter")
def group() -> None:
    r"""Route logs by rules: ship them from each host, archive them exactly once, mail the errors.

    \b
    logrouter up --file web='/var/log/nginx/*.log'    follow and archive files, without a server
    logrouter tail 'web.#'                            watch their records live

    The environment variables LOGROUTER_BROKER, LOGROUTER_RULES, LOGROUTER_STATE, LOGROUTER_CONFIG and
    LOGROUTER_INSTANCE replace the defaults of --broker, --rules, --state, --config and --instance.
    """


_keep_line_breaks(group)


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_GC_THRESHOLD)
    sys.excepthook = _report_unexpected
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # if it is not UTF-8; stderr does this by default
    try:
        status = group.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        _report_usage(error)
        status = error.exit_code
    except UserError as error:
        _report(error)
        status = 2
    except LogrouterError as error:
        _report(error)
        status = 1
    gc.freeze()  # because the exit would otherwise search all loaded objects for garbage once more
    sys.exit(status)


def _report(error: LogrouterError) -> None:
    first, *others = error.lines
    print_lines(f"logrouter: {first}", *others, *([f"  try: {error.remedy}"] if error.remedy else []), err=True)


def _report_usage(error: click.ClickException) -> None:
    """Print the error as click does, but escape what the user typed: click prints it unchanged."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        path, help_option = error.ctx.command_path, error.ctx.help_option_names[0]
        click.echo(f"{error.ctx.get_usage()}\nTry '{path} {help_option}' for help.\n", err=True)
    print_lines(f"Error: {error.format_message()}", err=True)


def _report_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback, escaped because its last line may quote any text."""
    click.echo(printable("".join(traceback.format_exception(kind, error, trace)), newlines=True), err=True, nl=False)
