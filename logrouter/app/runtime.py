"""The runtime of long-running commands: the event loop, signals, and log lines on standard error."""

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
"""The longest time that a thread waits for the interpreter lock. Our threads compress and sync without it, and need it
only in between. With Python's default of 5 ms they stall for as long as the event loop is busy."""


def run(
    main: Callable[[asyncio.Event], Awaitable[T]],
    handler: logging.Handler | None = None,
    on_hangup: Callable[[], object] | None = None,
) -> T:
    """Run `main`, and return its result. SIGTERM and SIGINT set the event that is passed to it.

    handler: for log lines, instead of standard error.   hung_up: called at each SIGHUP, and for one that arrived before
    this call. If standard input is a terminal, SIGHUP means that the terminal has closed, and sets the event instead.
    """
    log_to(handler or logging.StreamHandler())
    sys.setswitchinterval(_TURN_SECONDS)
    collect_seldom()
    give_back_large_blocks()

    async def with_signals() -> T:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if on_hangup is not None:
            at_terminal = sys.stdin is not None and sys.stdin.isatty()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set if at_terminal else on_hangup)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # logrouter/main.py blocks it until here
        return await main(stop)

    return uvloop.run(with_signals())


def log_to(handler: logging.Handler) -> None:
    """Send log lines to `handler`, unless logging is configured already."""
    handler.setFormatter(_PrintableFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


class _PrintableFormatter(logging.Formatter):
    """Escapes log records and indents all lines but the first: libraries log several at once, such as tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), newlines=True).replace("\n", "\n    ")
