"""Encodes a message from the network as a line of a spool, with its time and sender, and decodes it. Pure."""

from __future__ import annotations

import base64
import binascii

import msgspec

from logrouter.wire.truncated import Truncated


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """A received message.

    received: Unix time.   peer: the address that it came from, '' for this machine.   local: it came by a unix socket.
    text: the message, if it is UTF-8; otherwise base64 holds its bytes.
    length, sha256: of the whole message, if it was truncated.
    """

    received: float
    peer: str = ""
    text: str = ""
    base64: str = ""
    length: int = 0
    sha256: str = ""
    local: bool = False

    @property
    def content(self) -> bytes:
        """The bytes that were received."""
        return base64.b64decode(self.base64) if self.base64 else self.text.encode()

    @property
    def truncated(self) -> Truncated | None:
        """The length and hash of the whole message, if it was truncated; else None."""
        return Truncated(self.length, self.sha256) if self.length else None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def seal(
    content: bytes, received: float, peer: str, truncated: Truncated | None = None, *, local: bool = False
) -> bytes:
    """Return the line of a message, newline included. received: Unix time.   peer: '' for this machine."""
    length, sha256 = (truncated.length, truncated.sha256) if truncated else (0, "")
    try:
        envelope = Envelope(received, peer, text=content.decode(), length=length, sha256=sha256, local=local)
    except UnicodeDecodeError:
        exact = base64.b64encode(content).decode()
        envelope = Envelope(received, peer, base64=exact, length=length, sha256=sha256, local=local)
    return _encoder.encode(envelope) + b"\n"


def unseal(line: bytes, now: float) -> Envelope:
    """Decode a line. A line that a crash has torn becomes the message itself, received at `now` (Unix time)."""
    try:
        envelope = _decoder.decode(line)
        return envelope if not envelope.base64 else _checked(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
        return Envelope(now, base64=base64.b64encode(line).decode())


def _checked(envelope: Envelope) -> Envelope:
    base64.b64decode(envelope.base64, validate=True)
    return envelope
