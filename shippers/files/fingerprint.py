"""What a generation is recognised by: hashes of a little of its content.

Its identity is its minted `source`, never what is computed here. This tells whether a file met later, under another
name or inode, compressed or copied, holds what a position is about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shippers.files.content import Content, Rewritten

PREFIX = 4096
"""Bytes from the beginning of a file that are compared, or as many as it had."""

TAIL = 256
"""Bytes just before a position that are compared, or as many as there are."""

WHOLE = 64 << 10
"""Bytes before a position that are all compared, where it is not further from the beginning."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash of `length` bytes, in hex."""

    length: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, content: bytes) -> Mark:
        """The mark of these bytes."""
        return cls(len(content), hashlib.sha256(content).hexdigest() if content else "")

    def ends_at(self, position: int, content: Content, *, at_once: bool = True) -> bool:
        """Whether the bytes just before a position are these. Raises OSError; where it need not be at once, NotReady.

        A file that was rewritten meanwhile does not hold them.
        """
        try:
            return Mark.of(content.read(self.length, position - self.length, at_once=at_once)) == self
        except Rewritten:
            return False


NONE = Mark()
"""Of nothing."""


class Beginning:
    """The hash of what was read from the beginning of a file, up to WHOLE bytes, as it grows."""

    __slots__ = ("_digest", "length")

    def __init__(self, content: bytes = b"") -> None:
        self._digest = hashlib.sha256(content)
        self.length = len(content)

    def add(self, position: int, content: bytes) -> None:
        """These bytes stand at a position; what does not follow directly is passed over."""
        if position == self.length < WHOLE:
            more = content[: WHOLE - self.length]
            self._digest.update(more)
            self.length += len(more)

    @property
    def mark(self) -> Mark:
        """Of what was added so far."""
        return Mark(self.length, self._digest.hexdigest()) if self.length else Mark()


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
