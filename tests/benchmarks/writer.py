"""A program that writes logs as programs do: `python -m benchmarks.writer LINES_PER_SECOND SECONDS FILE...`.

Lines come in small bursts at random moments, each line by a write() of its own, each burst to the next file. Every line
says when it was written, on the clock that all processes of a machine share.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import resource
import sys
import time
from collections.abc import Sequence

from corpus import pool

_BURST = 20
"""Lines at most: a request or a failure leaves a few at once."""

STAMP = re.compile(rb"written=(\d+)$")
"""The end of a line: time.monotonic_ns() just before its write()."""


def write(rate: int, seconds: float, paths: Sequence[str]) -> int:
    """Append so many lines a second to the files, for so long; how many it were. A late burst is not left out."""
    lines = itertools.cycle(line.rstrip() for line in pool())
    files = itertools.cycle([os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) for path in paths])
    choose, written = random.Random(rate), 0
    due = time.monotonic()
    end = due + seconds
    while due < end:
        time.sleep(max(due - time.monotonic(), 0))
        burst, file = choose.randint(1, _BURST), next(files)
        for line in itertools.islice(lines, burst):
            os.write(file, b"%s written=%d\n" % (line, time.monotonic_ns()))
        written += burst
        due += choose.expovariate(rate / burst)
    return written


def main() -> None:
    """Write, and say how many lines it were."""
    rate, seconds, *paths = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(write(int(rate), float(seconds), paths))  # noqa: T201  # it is a program


if __name__ == "__main__":
    main()
