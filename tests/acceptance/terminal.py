"""A program on a terminal of its own, as a person sees it."""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """A program on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    raw: str = ""
    _decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    @property
    def seen(self) -> str:
        """All text so far, without what moves the cursor and colours."""
        return CONTROL.sub("", self.raw)

    def read(self) -> bool:
        """Take what comes next; false at the end."""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # how Linux ends a terminal whose program has ended
            return False
        self.raw += self._decoder.decode(data)
        return bool(data)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until it is there."""
        while not (found := re.search(pattern, self.seen)):
            assert self.read(), f"it ended without {pattern!r}: {self.seen}"
        return found

    def interrupt(self) -> int:
        """Press Ctrl-C, read to the end and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self.read():
            pass
        return self.process.wait(20)


Open = Callable[..., Terminal]
"""Starts `logrouter ARGUMENTS...` on a terminal of so many columns."""
