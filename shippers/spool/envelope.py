"""A message from the network <-> its line in a spool: what was received, when, and from whom. Pure."""

from __future__ import annotations

import base64
import binascii

import msgspec

from logrouter.wire.truncated import Truncated


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """received: Unix time.   peer: the address it came from, '' for this machine.   local: by a unix socket.

    text: the message, if it is UTF-8; otherwise base64 has its bytes.
    length, sha256: of the whole message, where it was too long to be kept whole.
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
        """The exact bytes."""
        return base64.b64decode(self.base64) if self.base64 else self.text.encode()

    @property
    def truncated(self) -> Truncated | None:
        """The whole message, where it was too long to be kept whole."""
        return Truncated(self.length, self.sha256) if self.length else None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def seal(
    content: bytes, received: float, peer: str, truncated: Truncated | None = None, *, local: bool = False
) -> bytes:
    """The line of a message, newline included."""
    length, sha256 = (truncated.length, truncated.sha256) if truncated else (0, "")
    try:
        envelope = Envelope(received, peer, text=content.decode(), length=length, sha256=sha256, local=local)
    except UnicodeDecodeError:
        exact = base64.b64encode(content).decode()
        envelope = Envelope(received, peer, base64=exact, length=length, sha256=sha256, local=local)
    return _encoder.encode(envelope) + b"\n"


def unseal(line: bytes, now: float) -> Envelope:
    """What is in a line; one that a crash has torn is itself a message, received `now`."""
    try:
        envelope = _decoder.decode(line)
        return envelope if not envelope.base64 else _checked(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
        return Envelope(now, base64=base64.b64encode(line).decode())


def _checked(envelope: Envelope) -> Envelope:
    base64.b64decode(envelope.base64, validate=True)
    return envelope
