"""Recognising a file again: hashes of a little of its content, and which machine this is.

A file's identity is its minted `source`, never what is computed here; this only tells whether a file met after a
rename or a restart is the one that a saved position was about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shippers.inputs.content import Content, Rewritten

PREFIX = 1024
"""Bytes from the beginning of a file that are compared, or as many as it had."""

TAIL = 256
"""Bytes just before a position that are compared, or as many as there are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash of `length` bytes, in hex."""

    length: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, content: bytes) -> Mark:
        """The mark of these bytes."""
        return cls(len(content), hashlib.sha256(content).hexdigest() if content else "")


@dataclass(frozen=True, slots=True)
class Saved:
    """What is known of one incarnation of a file.

    start: where its chain of windows begins.   confirmed: up to where the broker has it, in bytes.
    glob: what met it.                          path: where that was.
    prefix, tail: of its beginning, and of what stands just before `confirmed`.
    done: it was read to its end and let go, or looked for in vain.
    lines: records between `start` and `confirmed`.   since: when it was first followed, Unix time; 0 if nobody knows.
    """

    source: str
    path: str
    device: int
    inode: int
    start: int
    confirmed: int
    glob: str = ""
    prefix: Mark = Mark()
    tail: Mark = Mark()
    done: bool = False
    lines: int = 0
    since: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError for positions that cannot be."""
        if (
            not 0 <= self.start <= self.confirmed
            or not 0 <= self.tail.length <= self.confirmed
            or self.prefix.length < 0
        ):
            raise ValueError(f"impossible position: {self}")

    def is_all_of(self, content: Content, on_disk: int) -> bool:
        """The same of other content than that of the file itself: by enough of it, or by all of it."""
        if self.prefix.length < PREFIX:  # files may begin with the same few lines
            return self.recognises(content) and content.size(on_disk) == self.confirmed and content.ended
        return self.recognises(content)

    def begins(self, content: Content) -> bool:
        """Whether an open file begins as it did."""
        return Mark.of(content.read(self.prefix.length, 0)) == self.prefix

    def recognises(self, content: Content) -> bool:
        """Whether an open file still has the bytes that were read from it."""
        try:
            if not self.begins(content):
                return False
            return Mark.of(content.read(self.tail.length, self.confirmed - self.tail.length)) == self.tail
        except Rewritten:
            return False


def machine_id() -> str:
    """The id of this installation of an operating system; '' where it has none."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def shown(path: str) -> str:
    """A path as it can be logged: names may hold bytes that are no text."""
    return path.encode(errors="backslashreplace").decode()
