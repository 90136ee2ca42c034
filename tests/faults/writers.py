"""A program that writes a log as an application does, and keeps a journal of what it has written.

In comes one Log as JSON on the command line, and commands on standard input; out go lines in the log, each in the
journal only after write() has returned. The journal has a file for each incarnation, byte by byte what that was given,
and beside it when: `offset seconds` for each burst. The log is rotated under load, by rename (the old handle is used a
while longer) or by copy and truncate.

Commands: `stop` ends the writing, `fresh` writes one more line, the end of input ends the program.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import threading
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

RENAME, COPY_TRUNCATE = "rename", "copytruncate"
_LEVELS = {"INFO": 70, "DEBUG": 15, "WARN": 8, "NOTICE": 5, "ERROR": 2}
_LETTERS = b"bcdfghjklmnpqrstvwxz"
"""Without vowels: no payload has a word in it that means a severity."""


@dataclass(frozen=True, slots=True)
class Log:
    """name: of letters and a digit.   rate: lines a second.   every: seconds between rotations, 0 for none."""

    name: str
    path: str
    journal: str
    seed: int
    rate: int = 500
    rotation: str = RENAME
    every: float = 4.0


def is_kept(line: bytes) -> bool:
    """Whether the campaign's rules archive a line."""
    return b" DEBUG " not in line[:40]


class Writer:
    """Writes one log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._choose = random.Random(log.seed)
        self._incarnation = self._number = self._offset = 0
        self._fd = self._open()

    def _open(self) -> int:
        self._incarnation += 1
        self._number = self._offset = 0
        stem = Path(self._log.journal) / f"{self._log.name}.{self._incarnation}"
        self._journal, self._times = stem.open("wb"), stem.with_suffix(f"{stem.suffix}.times").open("w")
        return os.open(self._log.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop."""
        due = time.monotonic() + self._log.every
        while not stop.wait(self._choose.uniform(0.0, 0.1)):
            self.write(self._choose.randrange(1, max(2, self._log.rate // 10)))
            if self._log.every and time.monotonic() >= due:
                due = time.monotonic() + self._choose.uniform(0.2, 2.0) * self._log.every
                self._rotate(stop)

    def write(self, count: int) -> None:
        """So many lines, at once."""
        data = b"".join(self._line() for _ in range(count))
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._offset += len(data)
        self._journal.write(data)
        self._journal.flush()
        self._times.write(f"{self._offset} {time.time()}\n")
        self._times.flush()

    def _line(self) -> bytes:
        """One line; the first of an incarnation is never an odd one, for it must tell whose they are."""
        self._number += 1
        oddity = self._choose.random() if self._number > 1 else 1.0
        if oddity < 0.003:
            return b"\n" if oddity < 0.002 else b" \n"
        (level,) = self._choose.choices(list(_LEVELS), list(_LEVELS.values()))
        head = f"{self._log.name}.{self._incarnation} {self._number:08} {level} ".encode()
        size = 5000 if oddity < 0.006 else self._choose.randrange(160)
        payload = bytes(self._choose.choices(_LETTERS, k=size))
        if oddity > 0.98 and self._number > 1:
            payload += b"\xff\xfe \xc3( \x00"
        line = b"%s%s %08x" % (head, payload, zlib.crc32(head + payload))
        return line + (b"\r\n" if 0.9 < oddity < 0.95 else b"\n")

    def _rotate(self, stop: threading.Event) -> None:
        path = Path(self._log.path)
        kept = path.with_name(f"{path.name}.{self._incarnation}")
        if self._log.rotation == COPY_TRUNCATE:
            shutil.copyfile(path, kept)
            os.ftruncate(self._fd, 0)
        else:
            path.rename(kept)
            for _ in range(self._choose.randrange(5)):  # its writer has not noticed yet
                self.write(self._choose.randrange(1, 20))
                stop.wait(0.05)
        self.close()
        self._fd = self._open()

    def close(self) -> None:
        """Let go of log and journal."""
        os.close(self._fd)
        self._journal.close()
        self._times.close()


def command(log: Log) -> list[str]:
    """How to start the program."""
    return [sys.executable, __file__, json.dumps(asdict(log))]


def main() -> None:
    """Write until told otherwise."""
    stop = threading.Event()
    writer = Writer(Log(**json.loads(sys.argv[1])))
    writing = threading.Thread(target=writer.run, args=(stop,))
    writing.start()
    for told in sys.stdin:
        stop.set()
        writing.join()
        if told == "fresh\n":
            writer.write(1)
        print("done", flush=True)  # noqa: T201  # it is a program
    stop.set()
    writing.join()
    writer.close()


if __name__ == "__main__":
    main()
