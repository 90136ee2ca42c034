"""Hashes a little of a generation's content, so that the generation is recognised.

Its identity is its random `source`, never these hashes. They show whether a file that is met later, under another name
or inode, compressed or copied, holds what a position refers to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shippers.files.content import Content, Rewritten

PREFIX = 4096
"""Bytes that are compared at the beginning of a file; fewer if it had fewer."""

TAIL = 256
"""Bytes that are compared just before a position; fewer if there are fewer."""

WHOLE = 64 << 10
"""A position of at most this many bytes is recognised by everything before it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash of `length` bytes, in hex."""

    length: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, content: bytes) -> Mark:
        return cls(len(content), hashlib.sha256(content).hexdigest() if content else "")

    def ends_at(self, position: int, content: Content, *, at_once: bool = True) -> bool:
        """Report whether the bytes just before a position have this hash. False if the file was rewritten meanwhile.

        Raises OSError, and NotReady unless `at_once`.
        """
        try:
            return Mark.of(content.read(self.length, position - self.length, at_once=at_once)) == self
        except Rewritten:
            return False


NONE = Mark()
"""The mark of no bytes."""


class RunningMark:
    """A running hash of what was read from the beginning of a file, up to WHOLE bytes."""

    __slots__ = ("_digest", "length")

    def __init__(self, content: bytes = b"") -> None:
        self._digest = hashlib.sha256(content)
        self.length = len(content)

    def add(self, position: int, content: bytes) -> None:
        """Add the bytes at a position. They are ignored unless they directly follow those added before."""
        if position == self.length < WHOLE:
            more = content[: WHOLE - self.length]
            self._digest.update(more)
            self.length += len(more)

    @property
    def mark(self) -> Mark:
        """The mark of the bytes added so far."""
        return Mark(self.length, self._digest.hexdigest()) if self.length else Mark()


def machine_id() -> str:
    """Return the id of this installation of the operating system, or '' if it has none."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def shown(path: str) -> str:
    """Return a path as it can be logged: names may contain bytes that are not text."""
    return path.encode(errors="backslashreplace").decode()
