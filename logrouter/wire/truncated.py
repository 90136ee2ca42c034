"""The length and hash of content that is too long to keep whole, so that only its beginning is kept. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Truncated:
    """The length of the whole content in bytes, and its SHA-256 in hex."""

    length: int
    sha256: str

    @classmethod
    def of(cls, whole: bytes) -> Truncated:
        """Return the length and hash of content that is in memory."""
        return cls(len(whole), hashlib.sha256(whole).hexdigest())

    def as_field(self) -> dict[str, object]:
        """Return the value for `fields.cut` of a record."""
        return {"length": self.length, "sha256": self.sha256}


@dataclass(slots=True)
class Truncation:
    """The running length and hash of content that arrives in pieces and is not kept in memory."""

    length: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, content: bytes | bytearray) -> None:
        """Add the next piece."""
        self.length += len(content)
        self._digest.update(content)

    def end(self) -> Truncated:
        """Return the length and hash of everything that was added."""
        return Truncated(self.length, self._digest.hexdigest())
