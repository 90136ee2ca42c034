"""How commands print: no text, whoever wrote it, moves a cursor, sets a colour or begins a line of its own."""

from __future__ import annotations

import sys
from typing import Any

import click

from logrouter.support.terminal import printable


def print_lines(*lines: str, err: bool = False) -> None:
    """Print each of these as one line."""
    click.echo("\n".join(map(printable, lines)), err=err)


def styled(text: str, **style: Any) -> str:
    """A text in colours, for click to print where there are any."""
    return click.style(printable(text), **style)


def is_on_terminal() -> bool:
    """Whether somebody looks on, and no program reads what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()
