"""What a program prints, and when: the other end of a pipe, read by a thread.

In come lines that `benchmarks.writer` has stamped, out go how long each was under way.
"""

from __future__ import annotations

import os
import threading
import time

from benchmarks.writer import STAMP

_READ = 1 << 20


class Arrivals:
    """A pipe to be given to a process as its standard output; a line arrives when its newline can be read.

    stdout: that end, until `begin`.   count: lines that came.
    """

    def __init__(self) -> None:
        self._end, self.stdout = os.pipe()
        self.count = 0
        self._read: list[tuple[int, bytes]] = []
        self._reading = threading.Thread(target=self._take, daemon=True)

    def begin(self) -> None:
        """The process was started: read until it ends."""
        os.close(self.stdout)
        self._reading.start()

    def delays(self) -> list[tuple[int, int]]:
        """Of each line: when it was written, and how long after that it came; nanoseconds.

        Waits for the end of the process. Raises ValueError for a line without a stamp.
        """
        self._reading.join()
        found, rest = [], b""
        for moment, data in self._read:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                stamp = STAMP.search(line)
                if stamp is None:
                    raise ValueError(f"not from the writer: {line!r}")
                found.append((int(stamp[1]), moment - int(stamp[1])))
        return found

    def _take(self) -> None:
        while data := os.read(self._end, _READ):
            self._read.append((time.monotonic_ns(), data))
            self.count += data.count(b"\n")
        os.close(self._end)
