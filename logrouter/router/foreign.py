"""Makes one record of each foreign message, whatever its body and routing key.

What the routing key does not say is read from the body or gets a default, and the record states which. A body that is
too large for a record is truncated, marked and counted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from logrouter.observability import events
from logrouter.router.amqp10 import content
from logrouter.router.content_encoding import read_body
from logrouter.wire.message import Message
from logrouter.wire.record import Record, fitted, rfc3339
from logrouter.wire.routing_key import read_key
from logrouter.wire.slices import FOREIGN, Slice, from_record
from logrouter.wire.truncated import Truncated

MAX_BODY = 4 << 20
"""The most bytes that are kept of a foreign body. As JSON they may take six times as many."""

_DAY = 86400.0


def from_foreign(message: Message, read_severity: Callable[[str], tuple[str, str]], now: float) -> Slice:
    """Return the slice with the one record of a foreign message.

    read_severity: returns the severity of a text and how it was found.   now: Unix time.
    Raises WireError for a body that cannot be decompressed.
    """
    whole, charset = read_body(content(message), message.content_encoding)
    body = whole[:MAX_BODY]
    text = body.decode(charset, errors="replace").removesuffix("\n").removesuffix("\r")
    parts = read_key(message.key)
    severity, severity_from = (parts.severity, "stated") if parts.severity else read_severity(text)
    sent = message.timestamp if message.timestamp and 0 < message.timestamp < now + _DAY else now
    rebuilt = text.encode() + b"\n"
    record = Record(
        ts=rfc3339(sent),
        received=rfc3339(now) if now - sent > _DAY else None,
        service=parts.service,
        host=parts.host,
        severity=severity,
        severity_from=severity_from,
        message=text,
        source=FOREIGN,
        pos=0,
        end=len(rebuilt),
        app=message.app_id or None,
        conversation=message.correlation_id or None,
        fields={"cut": Truncated.of(whole).as_field()} if len(whole) > MAX_BODY else None,
        raw=None if rebuilt == body + b"\n" or rebuilt == body else base64.b64encode(body).decode(),
    )
    kept = fitted(record)
    if kept.fields:
        events.MESSAGE_CUT.happened(key=message.key, length=len(whole), kept=len(kept.message.encode()))
    return from_record(message.key, kept)


def foreign_identity(message: Message) -> str:
    """Return a hash that identifies a message that comes again.

    It covers the routing key and body too, because a message id may be a counter that its publisher has reset.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (message.message_id.encode(), message.key.encode(errors="surrogatepass"), message.body):
        digest.update(b"%d " % len(part) + part)
    return digest.hexdigest()
