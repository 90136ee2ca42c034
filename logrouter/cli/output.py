"""Safe printing for commands: no text, whoever wrote it, can move the cursor, set a colour or begin a new line."""

from __future__ import annotations

import sys
from typing import Any

import click

from logrouter.support.terminal import printable


def print_lines(*lines: str, err: bool = False) -> None:
    """Print each text as one line, with characters that do not show escaped."""
    click.echo("\n".join(map(printable, lines)), err=err)


def styled(text: str, **style: Any) -> str:
    """Return the text, escaped and in the colours of `click.style`; `click.echo` strips them where output has none."""
    return click.style(printable(text), **style)


def is_on_terminal() -> bool:
    """Report whether standard output is a terminal, so that a person reads it and not a program."""
    return sys.stdout is not None and sys.stdout.isatty()
