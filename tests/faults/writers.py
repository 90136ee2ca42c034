"""A program that writes a log as an application does, and keeps a journal of what it has written.

It takes one Log as JSON on the command line, and commands on standard input. Each line of the log is in the
journal only after write() has returned. The journal has a file for each incarnation, byte by byte what that was given,
and beside it when: `offset seconds` for each burst. The log is a file that is rotated under load as logrotate does it:
the files before are renumbered, the second is compressed, and the live one is renamed (the old handle is used a while
longer) or copied and truncated; or a connection, over which each line is a syslog message, and which is made anew when
the other end is gone.

Commands: `stop` ends the writing, `fresh` writes one more line, the end of input ends the program.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import socket
import sys
import threading
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

RENAME, COPY_TRUNCATE, CONNECTION = "rename", "copytruncate", "connection"
_LEVELS = {"INFO": 70, "DEBUG": 15, "WARN": 8, "NOTICE": 5, "ERROR": 2}
_PRIORITIES = {b"INFO": 14, b"DEBUG": 15, b"WARN": 12, b"NOTICE": 13, b"ERROR": 11}
"""Of facility `user`."""

_LETTERS = b"bcdfghjklmnpqrstvwxz"
"""Without vowels: no payload has a word in it that means a severity."""

_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Log:
    """name: of letters and a digit.   rate: lines a second.   every: seconds between rotations, 0 for none.

    path: of the file, or `host:port` for a connection.
    """

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


def is_error(line: bytes) -> bool:
    """Whether mail is to tell of a line."""
    return b" ERROR " in line[:40]


class Journal:
    """The lines of a log, made up one by one, and what of them was written; a file for each incarnation."""

    def __init__(self, log: Log, choose: random.Random) -> None:
        self._log = log
        self._choose = choose
        self.incarnation = 0
        self.begin()

    def begin(self) -> None:
        """The next incarnation."""
        self.incarnation += 1
        self._number = self._offset = 0
        stem = Path(self._log.journal) / f"{self._log.name}.{self.incarnation}"
        self._content, self._times = stem.open("wb"), stem.with_suffix(f"{stem.suffix}.times").open("w")

    def written(self, data: bytes) -> None:
        """Note what was written."""
        self._offset += len(data)
        self._content.write(data)
        self._content.flush()
        self._times.write(f"{self._offset} {time.time()}\n")
        self._times.flush()

    def line(self, *, may_be_odd: bool = True) -> bytes:
        """One line; the first of an incarnation is never an odd one, for it must tell whose they are."""
        self._number += 1
        oddity = self._choose.random() if self._number > 1 and may_be_odd else 1.0
        if oddity < 0.003:
            return b"\n" if oddity < 0.002 else b" \n"
        (level,) = self._choose.choices(list(_LEVELS), list(_LEVELS.values()))
        head = f"{self._log.name}.{self.incarnation} {self._number:08} {level} ".encode()
        size = 5000 if oddity < 0.006 else self._choose.randrange(160)
        payload = bytes(self._choose.choices(_LETTERS, k=size))
        if oddity > 0.98 and self._number > 1:
            payload += b"\xff\xfe \xc3( \x00"
        line = b"%s%s %08x" % (head, payload, zlib.crc32(head + payload))
        return line + (b"\r\n" if 0.9 < oddity < 0.95 else b"\n")

    def close(self) -> None:
        """Let its files go."""
        self._content.close()
        self._times.close()


class Writer:
    """Writes one log to a file."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._choose = random.Random(log.seed)
        self._journal = Journal(log, self._choose)
        self._fd = self._open()

    def _open(self) -> int:
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
        data = b"".join(self._journal.line() for _ in range(count))
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._journal.written(data)

    def _rotate(self, stop: threading.Event) -> None:
        path = Path(self._log.path)
        kept = make_room(path)
        if self._log.rotation == COPY_TRUNCATE:
            shutil.copyfile(path, kept)
            os.ftruncate(self._fd, 0)
        else:
            path.rename(kept)
            for _ in range(self._choose.randrange(5)):  # its writer has not noticed yet
                self.write(self._choose.randrange(1, 20))
                stop.wait(0.05)
        self.close()
        self._journal.begin()
        self._fd = self._open()

    def close(self) -> None:
        """Let go of log and journal."""
        os.close(self._fd)
        self._journal.close()


def make_room(path: Path) -> Path:
    """The first place behind a log, after each file there has moved on by one; what was there is compressed."""
    number = 1
    while _kept(path, number) is not None:
        number += 1
    for place in range(number - 1, 0, -1):
        file = _kept(path, place)
        assert file is not None  # it was just there
        moved = file.rename(file.with_name(file.name.replace(f".log.{place}", f".log.{place + 1}")))
        if place == 1:
            _compress(moved)
    return path.with_name(f"{path.name}.1")


def _kept(path: Path, place: int) -> Path | None:
    plain = path.with_name(f"{path.name}.{place}")
    return next((each for each in (plain, plain.with_name(f"{plain.name}.gz")) if each.exists()), None)


def _compress(path: Path) -> None:
    """What gzip does: the time of the last change is kept."""
    packed, status = path.with_name(f"{path.name}.gz"), path.stat()
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()


class Sender:
    """Sends one log over a connection. An incarnation is one connection; what it was given may not have got there."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._choose = random.Random(log.seed)
        self._journal = Journal(log, self._choose)
        self._connection = self._connect()

    def _connect(self) -> socket.socket:
        host, port = self._log.path.rsplit(":", 1)
        while True:
            try:
                return socket.create_connection((host, int(port)), timeout=None)
            except OSError:
                time.sleep(_AGAIN_SECONDS)

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; whatever is sent after that, somebody is there to take it."""
        while not stop.wait(self._choose.uniform(0.0, 0.1)):
            self.write(self._choose.randrange(1, max(2, self._log.rate // 10)))
        self._renew()

    def write(self, count: int) -> None:
        """So many lines, at once; in the journal even if they did not all get there."""
        lines = [self._journal.line(may_be_odd=False) for _ in range(count)]
        messages = [b"<%d>1 - h1 wire - - - %s" % (_PRIORITIES[line.split(maxsplit=3)[2]], line) for line in lines]
        with contextlib.suppress(OSError):
            self._connection.sendall(b"".join(messages))
        self._journal.written(b"".join(lines))
        self._renew()

    def _renew(self) -> None:
        """Connect again if the other end is gone."""
        try:
            if self._connection.recv(1, socket.MSG_DONTWAIT):
                raise ValueError("syslog has no answers")
        except BlockingIOError:
            return
        except OSError:
            pass
        self._connection.close()
        self._journal.close()
        self._connection = self._connect()
        self._journal.begin()

    def close(self) -> None:
        """Let go of connection and journal."""
        self._connection.close()
        self._journal.close()


def command(log: Log) -> list[str]:
    """How to start the program."""
    return [sys.executable, __file__, json.dumps(asdict(log))]


def main() -> None:
    """Write until told otherwise."""
    stop = threading.Event()
    log = Log(**json.loads(sys.argv[1]))
    writer = Sender(log) if log.rotation == CONNECTION else Writer(log)
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
