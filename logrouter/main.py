"""The entry point of the program, which runs before anything else is imported.

By default, SIGHUP ends a process that has not installed a handler yet, and loading a command takes a good part of a
second. Commands that handle SIGHUP therefore block it first. The signal stays pending until the command has installed
its handler and unblocks it (`app/runtime.py`).
"""

from __future__ import annotations

import signal
import sys

_TAKE_HANG_UPS = ("run", "ship", "up")


def main() -> None:
    """Run the `logrouter` script."""
    if sys.argv[1:2] and sys.argv[1] in _TAKE_HANG_UPS:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from logrouter import cli  # noqa: PLC0415  # this takes long, so SIGHUP must be blocked first

    cli.main()
