"""A journal without systemd: a growing file of entries, and a `journalctl` that reads it as the real one would.

It takes `--cursor`, `--lines`, `--follow` and `--directory` as journalctl 252 was seen to: an entry that is gone is
stood in for by the next, a cursor that is none ends it with status 1, and it ends when nobody reads its output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_PROGRAM = """\
import json, os, re, select, sys, time
from pathlib import Path
options = dict(each.removeprefix("--").partition("=")[::2] for each in sys.argv[1:])
directory = Path(options["directory"])
with (directory / "calls").open("a") as calls:
    calls.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\\n")
if (directory / "refuses").exists():
    sys.exit((directory / "refuses").read_text())
at, rest = 0, b""
def whole():
    global at, rest
    with (directory / "entries").open("rb") as file:
        file.seek(at)
        content = file.read()
    at += len(content)
    *lines, rest = (rest + content).split(b"\\n")
    return [line + b"\\n" for line in lines]
def number(line):
    found = re.search(rb'"__CURSOR":"i=(\\d+)"', line)
    return int(found[1]) if found else 0
lines = whole()
if "cursor" in options:
    found = re.fullmatch(r"i=(\\d+)", options["cursor"])
    if not found:
        sys.exit("Failed to seek to cursor: Invalid argument")
    since = next((index for index, line in enumerate(lines) if number(line) >= int(found[1])), len(lines))
    lines = lines[since:]
elif "lines" in options:
    lines = lines[-int(options["lines"]):]
while True:
    sys.stdout.buffer.write(b"".join(lines))
    sys.stdout.buffer.flush()
    if "follow" not in options:
        break
    watching = select.poll()
    watching.register(1, 0)
    if watching.poll(20):
        break
    lines = whole()
"""


class FakeJournal:
    """The entries in `directory`, numbered from 1, each with the cursor `i=<number>`; and a program to read them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir(parents=True)
        program = self.programs / "journalctl"
        program.write_text(f"#!{sys.executable}\n{_PROGRAM}")
        program.chmod(0o755)
        (directory / "entries").touch()
        self._since = int(time.time()) * 1_000_000
        self.written: list[str] = []
        """The message of each entry."""

    @property
    def path(self) -> str:
        """A PATH on which the program comes first."""
        return f"{self.programs}:{os.environ['PATH']}"

    @property
    def calls(self) -> list[str]:
        """The process and the arguments of each time that the program was started."""
        path = self.directory / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def write(self, count: int, **fields: Any) -> None:
        """Add entries."""
        self.add(*({"MESSAGE": f"entry {len(self.written) + 1 + index}", **fields} for index in range(count)))

    def add(self, *entries: dict[str, Any]) -> None:
        """Add these entries."""
        made = []
        for entry in entries:
            self.written.append(entry["MESSAGE"])
            number = len(self.written)
            known = {
                "PRIORITY": "6",
                "SYSLOG_IDENTIFIER": "app",
                "__REALTIME_TIMESTAMP": f"{self._since + number}",
            }
            made.append(known | entry | {"__CURSOR": f"i={number}"})
        self.add_lines(b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in made))

    def add_lines(self, content: bytes) -> None:
        """Add what the program is to write as it is."""
        with (self.directory / "entries").open("ab") as file:
            file.write(content)

    def rotate(self, kept: int) -> None:
        """Forget all but the last `kept` entries."""
        path = self.directory / "entries"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[len(lines) - kept :]))
