"""A small run: a few logs and one `logrouter up --drain` after the other on one state, dying where they are told to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from faults.oracle import Verdict, judge
from faults.processes import PROGRAM
from faults.watching import read_archive
from faults.writers import Log, Writer, is_kept
from logrouter.support.failpoint import VARIABLE

LINES = 400

_RULES = """\
destinations:
  archive: {{type: archive, dir: {directory}/archive, rotate: {rotate}}}
  mail: {{type: email, to: ops@example.org, server: "file:{directory}/mails", group_wait: 0s}}
rules:
  - {{name: errors, match: "#", severity: error, to: mail, continue: true}}
  - {{name: noise, match: "*.*.debug", to: discard}}
default: archive
"""


class Run:
    """Two logs of one service and a short one of another.   rotate: size at which an archive file is finished."""

    def __init__(self, directory: Path, rotate: str = "1GiB") -> None:
        self.directory = directory
        for name in ("logs", "journal", "rules"):
            (directory / name).mkdir(parents=True)
        (directory / "rules" / "rules.yaml").write_text(_RULES.format(directory=directory, rotate=rotate))
        names = ("web0", "web1", "small2")
        self._writers = [
            Writer(Log(name, f"{directory}/logs/{name}.log", f"{directory}/journal", seed))
            for seed, name in enumerate(names)
        ]
        self.write()

    def write(self) -> None:
        """So many lines more in each log, and few in the short one."""
        for writer, lines in zip(self._writers, (LINES, LINES, LINES // 20), strict=True):
            writer.write(lines)

    def close(self) -> None:
        """End the writing."""
        for writer in self._writers:
            writer.close()

    def route(self, fault: str = "") -> int:
        """Take all that was written to the archive, or die of a fault on the way; the exit status."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOGROUTER_")}
        files = [each for service in ("web", "small") for each in ("--file", f"{service}=logs/{service}*.log")]
        command = [str(PROGRAM), "up", "--drain", "--state", "state", "--rules", "rules", "--host", "h1", *files]
        return subprocess.run(
            command,
            cwd=self.directory,
            env=environment | ({VARIABLE: fault} if fault else {}),
            capture_output=True,
            check=False,
            timeout=60,
        ).returncode

    @property
    def journals(self) -> dict[str, bytes]:
        """What was written."""
        paths = (self.directory / "journal").iterdir()
        return {path.name: path.read_bytes() for path in paths if path.suffix != ".times"}

    def judge(self) -> Verdict:
        """What the archive is worth."""
        return judge(self.journals, [read_archive(self.directory / "archive")], is_kept)
