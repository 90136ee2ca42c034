"""The commands: one file each, loaded when it is asked for, so that `--help` stays quick and `ship` stays light.

In comes what the user typed; out goes an exit status: 0, 1 for a failure at run time, 2 for a mistake of the user's.
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
"""In the order in which a new user meets them."""

_LOADED_OBJECTS = 100_000
"""More than a command loads, next to none of which is ever garbage: to look for it took a tenth of a start."""


class LazyGroup(click.Group):
    """A group that imports a command's file only when the command is named (or listed)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"logrouter.cli.{name}").command
        assert isinstance(command, click.Command)
        return _as_written(command)


def _as_written(command: click.Command) -> click.Command:
    r"""With paragraphs below a `\b` left as they are: click wants the character, which docstrings do not show."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="logrouter")
def group() -> None:
    r"""Route logs by rules: ship them from each host, archive them exactly once, mail the errors, listen in.

    \b
    logrouter up --file web='/var/log/nginx/*.log'    everything in one process, no server needed
    """


_as_written(group)


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_LOADED_OBJECTS)
    sys.excepthook = _report_unexpected
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where it is not UTF-8, as standard error does by itself
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
    gc.freeze()  # or else the exit looks through all that is loaded once more, for garbage that goes with the process
    sys.exit(status)


def _report(error: LogrouterError) -> None:
    first, *others = error.lines
    print_lines(f"logrouter: {first}", *others, *([f"  try: {error.remedy}"] if error.remedy else []), err=True)


def _report_usage(error: click.ClickException) -> None:
    """As click does it, which would print what was typed as it is."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        path, help_option = error.ctx.command_path, error.ctx.help_option_names[0]
        click.echo(f"{error.ctx.get_usage()}\nTry '{path} {help_option}' for help.\n", err=True)
    print_lines(f"Error: {error.format_message()}", err=True)


def _report_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback, whose last line quotes whatever has not been foreseen."""
    click.echo(printable("".join(traceback.format_exception(kind, error, trace)), newlines=True), err=True, nl=False)
