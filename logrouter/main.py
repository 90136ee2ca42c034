"""The first lines of the program, before the rest is loaded.

A SIGHUP ends a process that has set up nothing for it yet, and to load a command takes a good part of a second. So from
here on one that comes to a command that takes it waits until that is ready (`cli/running.py`).
"""

from __future__ import annotations

import signal
import sys

_TAKE_HANG_UPS = ("run", "ship", "up")


def main() -> None:
    """The entry point of the `logrouter` script."""
    if sys.argv[1:2] and sys.argv[1] in _TAKE_HANG_UPS:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from logrouter import cli  # noqa: PLC0415  # see above: only now

    cli.main()
