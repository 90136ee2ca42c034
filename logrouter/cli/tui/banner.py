"""Texts that `up` prints at the start, and when nothing arrives. Pure.

The commands in them can be pasted into another terminal.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from logrouter import __version__
from logrouter.app import locations
from logrouter.cli.tui.summary import Places, counted
from shippers.input import Input


def lines(rules: Path, count: int, where: Places) -> list[str]:
    """Return the lines of the banner. count: number of rules."""
    return [
        f"logrouter {__version__}; press Ctrl-C to stop",
        f"rules     {rules.resolve()} ({counted(count, 'rule')})",
        f"archive   {where.archive}",
        *([f"mail      {where.mail}"] if where.mail else []),
        f"listen    {where.listen}",
    ]


def demo_lines(state: Path, logs: Path, rules: Path) -> list[str]:
    """Return suggestions to try while the demo runs. rules: of the demo; `cat` needs them to find its archive."""
    by_rules = [] if locations.rules_path(None).samefile(rules) else ["--rules", str(rules)]
    return [
        f"demo      sample logs in {logs}",
        "Try this in another terminal:",
        f"  {invocation('tail', state)} --severity error '#'",
        f"  {invocation('cat', state, *by_rules)} --since 5m 'db.#'",
    ]


def invocation(command: str, state: Path, *arguments: str) -> str:
    """Return the shell command that runs `command` on this state directory, from the current directory."""
    program = "logrouter" if shutil.which("logrouter") else sys.argv[0]
    given = [] if state == locations.state_directory(None) else ["--state", str(state)]
    return shlex.join([program, command, *given, *arguments])


def following(files: Mapping[str, int]) -> str:
    """Return a text such as `3 files of 2 services: packages 2, web 1`. files: number of files by service."""
    if not files:
        return "no files yet"
    services = ", ".join(f"{service} {count}" for service, count in files.items())
    return f"{counted(sum(files.values()), 'file')} of {counted(len(files), 'service')}: {services}"


def looked_for(inputs: Sequence[Input]) -> str:
    """Return what the inputs look for: their globs, and messages sent to this machine if any input receives them."""
    received = [] if all(each.globs for each in inputs) else ["messages sent to this machine"]
    return ", ".join([*(glob for each in inputs for glob in each.globs), *received])
