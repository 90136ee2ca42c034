"""Content that is too long to keep whole: its beginning is kept, with the length and the hash of all of it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Truncated:
    """What is known of the whole. length: bytes.   sha256: in hex."""

    length: int
    sha256: str

    @classmethod
    def of(cls, whole: bytes) -> Truncated:
        """Describe content that is in memory."""
        return cls(len(whole), hashlib.sha256(whole).hexdigest())

    def as_field(self) -> dict[str, object]:
        """Return the value of `fields.cut` of a record."""
        return {"length": self.length, "sha256": self.sha256}


@dataclass(slots=True)
class Truncation:
    """Content that arrives in pieces and is not held in memory."""

    length: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, content: bytes | bytearray) -> None:
        """Count the next piece."""
        self.length += len(content)
        self._digest.update(content)

    def end(self) -> Truncated:
        """Describe all that was added."""
        return Truncated(self.length, self._digest.hexdigest())
