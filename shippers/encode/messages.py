"""Makes the record of a spool line: a syslog message in its envelope, or a journal entry. Pure.

Any bytes make a record. Besides the record, each function returns its filing time in ms since 1970: the stated time, or
the time of reception if the two are more than a day apart.
"""

from __future__ import annotations

import base64

from logrouter.wire.record import Record, rfc3339
from shippers.encode.text import named, refine_entry, refine_message
from shippers.input import Input, Journal, Syslog
from shippers.parse import journal
from shippers.parse.application import from_application
from shippers.parse.severity.severity import STATED, severity
from shippers.parse.syslog import parse
from shippers.parse.timestamp.calendar import DAY
from shippers.parse.timestamp.header import moment
from shippers.parse.timestamp.line import times
from shippers.spool.envelope import unseal

_UNSTATED = "user"
"""The facility of a syslog message that states none, according to RFC 3164."""


def message(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """Return the record of an envelope, and its filing time in ms.

    now: when the line was read (Unix time).   place: the source and the position of the line in it.
    """
    assert isinstance(settings.feed, Syslog)
    envelope = unseal(line, now)
    content = envelope.content
    text = content.decode(errors="replace").rstrip("\n\r\0")
    parsed = parse(text, is_local=envelope.local)
    level, severity_from = (parsed.severity, STATED) if parsed.severity else severity(parsed.message, settings.severity)
    stated = moment(parsed.time, envelope.received) if parsed.time else None
    ts, ms = stated or times(["" if parsed.time else parsed.message], envelope.received)[0]
    received_ms = int(envelope.received * 1000)
    far = abs(ms - received_ms) > DAY * 1000
    parsed, content, refined = refine_message(text, parsed, content, settings.refining)
    exact = content if content.endswith(b"\n") else content + b"\n"
    if envelope.truncated:
        refined.mark_truncated(envelope.truncated)
    fields, conversation, sd = from_application(parsed.sd)
    record = Record(
        ts=ts,
        service=settings.service or settings.services.of(parsed.app, parsed.facility),
        host=settings.feed.host or parsed.host or envelope.peer or settings.host,
        severity=level,
        message=parsed.message,
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(envelope.received) if far else None,
        severity_from=severity_from,
        facility=parsed.facility or _UNSTATED,
        app=parsed.app,
        pid=parsed.pid,
        msgid=parsed.msgid,
        sd=sd,
        fields={**(fields or {}), **refined.fields.get(0, {})} or None,
        conversation=conversation or refined.conversations.get(0),
        raw=None if parsed.message.encode() + b"\n" == exact else base64.b64encode(exact).decode(),
    )
    return record, received_ms if far else ms


def entry(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """Return the record of a journal entry, and its filing time in ms. The parameters are those of `message`."""
    assert isinstance(settings.feed, Journal)
    parsed = journal.parse(line, settings.feed.max_line, settings.severity)
    received = parsed.received or now
    stated = parsed.stated or received
    far = abs(stated - received) > DAY
    refined = refine_entry(parsed.message, parsed.fields, settings.refining)
    app, pid, msgid = (named(each, settings.refining) for each in (parsed.app, parsed.pid, parsed.msgid))
    if parsed.truncated:
        refined.mark_truncated(parsed.truncated)
    is_exact = refined.changed or parsed.message.encode() == parsed.exact
    record = Record(
        ts=rfc3339(stated),
        service=settings.service or settings.services.of(app, parsed.facility),
        host=settings.feed.host or parsed.host or settings.host,
        severity=parsed.severity,
        message=refined.texts[0],
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(received) if far else None,
        severity_from=parsed.severity_from,
        facility=parsed.facility,
        app=app,
        pid=pid,
        msgid=msgid,
        fields=refined.fields.get(0),
        conversation=refined.conversations.get(0),
        raw=None if is_exact else base64.b64encode(parsed.exact + b"\n").decode(),
    )
    return record, int((received if far else stated) * 1000)
