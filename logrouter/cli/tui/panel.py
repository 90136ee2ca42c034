"""What is seen of a running `up` on a terminal: a calm summary at its bottom.

In come snapshots, out go at most two drawings a second; what is logged meanwhile scrolls by above them, undisturbed.
"""

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
    """Standard error, if it is a terminal on which lines can be drawn again."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    can_draw = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return console if can_draw else None


def drawer(console: Console) -> Show:
    """Draws the summary at the bottom of a terminal."""

    async def draw(take: Take, places: Places, stop: asyncio.Event) -> None:
        # Nothing else is redirected: whatever is said here goes through the log.
        with Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop"
        ) as live:
            while not stop.is_set():
                live.update(drawing(take(), places, console.width), refresh=True)
                await wait(stop, _DRAW_SECONDS)
            live.update(drawing(take(), places, console.width), refresh=True)

    return draw


def drawing(snapshot: Snapshot, places: Places, width: int) -> Text:
    """The summary in colours, no line wider than `width` columns."""
    lines = [Text(summary.title(snapshot, width), style="dim")]
    for name, text in summary.rows(snapshot, places, width):
        lines.append(Text.assemble((name.ljust(summary.LABEL), "dim"), text))
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


class ConsoleHandler(logging.Handler):
    """Log lines on a terminal on which something is drawn."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line above what is drawn."""
        try:
            text = Text(self.format(record), style=_STYLES.get(record.levelno, ""))
            self._console.print(text)
        except Exception:  # noqa: BLE001  # as every handler of logging does: it reports, and goes on
            self.handleError(record)
