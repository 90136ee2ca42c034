"""Shows a running `up` on a terminal: a panel at the bottom, drawn twice a second. Log lines scroll above it."""

from __future__ import annotations

import asyncio
import logging

from rich.console import Console
from rich.live import Live
from rich.text import Text

from logrouter.cli.tui import summary
from logrouter.cli.tui.log_lines import Show, Take
from logrouter.cli.tui.summary import Places, Snapshot
from logrouter.support.aio import wait

_DRAW_SECONDS = 0.5

_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}


def drawable() -> Console | None:
    """Return standard error if it is a terminal that can redraw lines, else None."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    can_draw = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return console if can_draw else None


def drawer(console: Console) -> Show:
    """Return a `Show` that draws the panel at the bottom of the terminal."""

    async def draw(take: Take, places: Places, stop: asyncio.Event) -> None:
        # Standard output and error need no redirection, because everything is printed through the log.
        with Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop"
        ) as live:
            while not stop.is_set():
                live.update(drawing(take(), places, console.width), refresh=True)
                await wait(stop, _DRAW_SECONDS)
            live.update(drawing(take(), places, console.width), refresh=True)

    return draw


def drawing(snapshot: Snapshot, places: Places, width: int) -> Text:
    """Return the panel in colours. No line is wider than `width` columns."""
    lines = [Text(summary.title(snapshot, width), style="dim")]
    for name, text in summary.rows(snapshot, places, width):
        lines.append(Text.assemble((name.ljust(summary.LABEL), "dim"), text))
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


class ConsoleHandler(logging.Handler):
    """A log handler that prints lines above the panel."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = Text(self.format(record), style=_STYLES.get(record.levelno, ""))
            self._console.print(text)
        except Exception:  # noqa: BLE001  # because a logging handler must not raise
            self.handleError(record)
