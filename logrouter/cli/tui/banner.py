"""What `up` says when it starts, and what it says when nothing comes: settings in, lines of text out.

The commands that it names can be pasted into another terminal as they are.
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
    """The first lines. count: of rules."""
    return [
        f"logrouter {__version__}; Ctrl-C ends it",
        f"rules     {rules.resolve()} ({counted(count, 'rule')})",
        f"archive   {where.archive}",
        *([f"mail      {where.mail}"] if where.mail else []),
        f"listen    {where.listen}",
    ]


def demo_lines(state: Path, logs: Path, rules: Path) -> list[str]:
    """What to try while the demo runs. rules: those of the demo, by which `cat` finds its archive."""
    by_rules = [] if locations.rules_path(None).samefile(rules) else ["--rules", str(rules)]
    return [
        f"demo      made-up logs, in {logs}",
        "Try in another terminal:",
        f"  {invocation('tail', state)} --severity error '#'",
        f"  {invocation('cat', state, *by_rules)} --since 5m 'db.#'",
    ]


def invocation(command: str, state: Path, *arguments: str) -> str:
    """How to call a command of this program on that state directory, from the same directory."""
    program = "logrouter" if shutil.which("logrouter") else sys.argv[0]
    given = [] if state == locations.state_directory(None) else ["--state", str(state)]
    return shlex.join([program, command, *given, *arguments])


def following(files: Mapping[str, int]) -> str:
    """`3 files of 2 services: packages 2, web 1`."""
    if not files:
        return "no files yet"
    services = ", ".join(f"{service} {count}" for service, count in files.items())
    return f"{counted(sum(files.values()), 'file')} of {counted(len(files), 'service')}: {services}"


def looked_for(inputs: Sequence[Input]) -> str:
    """What was looked for when nothing came."""
    received = [] if all(each.globs for each in inputs) else ["what is sent here"]
    return ", ".join([*(glob for each in inputs for glob in each.globs), *received])
