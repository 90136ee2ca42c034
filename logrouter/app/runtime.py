"""What the commands that run for long have in common: the event loop, signals, log lines on standard error."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from logrouter.support.memory import collect_seldom, give_back_large_blocks
from logrouter.support.terminal import printable

T = TypeVar("T")

_TURN_SECONDS = 0.0005
"""For which a thread waits at most for its turn with the interpreter. Ours compress and sync, which needs none, and ask
for it in between; with Python's 5 ms they stand still for as long as the event loop is busy."""


def run(
    main: Callable[[asyncio.Event], Awaitable[T]],
    handler: logging.Handler | None = None,
    hung_up: Callable[[], object] | None = None,
) -> T:
    """Run `main` to its end; SIGTERM and SIGINT set the event that it is given.

    handler: another for log lines.   hung_up: called at each SIGHUP, one that came before included, save that of a
    terminal that goes: that ends it.
    """
    log_to(handler or logging.StreamHandler())
    sys.setswitchinterval(_TURN_SECONDS)
    collect_seldom()
    give_back_large_blocks()

    async def with_signals() -> T:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if hung_up is not None:
            at_terminal = sys.stdin is not None and sys.stdin.isatty()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set if at_terminal else hung_up)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # logrouter/main.py has one wait for this
        return await main(stop)

    return uvloop.run(with_signals())


def log_to(handler: logging.Handler) -> None:
    """Send what is logged there, unless it goes somewhere already."""
    handler.setFormatter(_PrintableFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


class _PrintableFormatter(logging.Formatter):
    """What libraries log may be of several lines, as tracebacks are: all but the first are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or the lines."""
        return printable(super().format(record), newlines=True).replace("\n", "\n    ")
