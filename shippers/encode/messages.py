"""A line of a spool -> its record: a syslog message in its envelope, or an entry of a journal. Pure.

In come the line, its input and the time it was read; out go the record and the time in ms since 1970 that it is filed
by. Any bytes at all make a record.
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
"""The facility of a syslog message that states none, by RFC 3164."""


def message(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """The record of one envelope, and the time in ms that it is filed by."""
    assert isinstance(settings.feed, Syslog)
    envelope = unseal(line, now)
    content = envelope.content
    text = content.decode(errors="replace").rstrip("\n\r\0")
    said = parse(text, is_local=envelope.local)
    level, severity_from = (said.severity, STATED) if said.severity else severity(said.message, settings.severity)
    stated = moment(said.time, envelope.received) if said.time else None
    ts, ms = stated or times(["" if said.time else said.message], envelope.received)[0]
    received_ms = int(envelope.received * 1000)
    far = abs(ms - received_ms) > DAY * 1000
    said, content, refined = refine_message(text, said, content, settings.refining)
    exact = content if content.endswith(b"\n") else content + b"\n"
    if envelope.truncated:
        refined.mark_truncated(envelope.truncated)
    fields, conversation, sd = from_application(said.sd)
    record = Record(
        ts=ts,
        service=settings.service or settings.services.of(said.app, said.facility),
        host=settings.feed.host or said.host or envelope.peer or settings.host,
        severity=level,
        message=said.message,
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(envelope.received) if far else None,
        severity_from=severity_from,
        facility=said.facility or _UNSTATED,
        app=said.app,
        pid=said.pid,
        msgid=said.msgid,
        sd=sd,
        fields={**(fields or {}), **refined.fields.get(0, {})} or None,
        conversation=conversation or refined.conversations.get(0),
        raw=None if said.message.encode() + b"\n" == exact else base64.b64encode(exact).decode(),
    )
    return record, received_ms if far else ms


def entry(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """The record of one entry of a journal, and the time in ms that it is filed by."""
    assert isinstance(settings.feed, Journal)
    said = journal.parse(line, settings.feed.max_line, settings.severity)
    received = said.received or now
    stated = said.stated or received
    far = abs(stated - received) > DAY
    refined = refine_entry(said.message, said.fields, settings.refining)
    app, pid, msgid = (named(each, settings.refining) for each in (said.app, said.pid, said.msgid))
    if said.truncated:
        refined.mark_truncated(said.truncated)
    is_exact = refined.changed or said.message.encode() == said.exact
    record = Record(
        ts=rfc3339(stated),
        service=settings.service or settings.services.of(app, said.facility),
        host=settings.feed.host or said.host or settings.host,
        severity=said.severity,
        message=refined.texts[0],
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(received) if far else None,
        severity_from=said.severity_from,
        facility=said.facility,
        app=app,
        pid=pid,
        msgid=msgid,
        fields=refined.fields.get(0),
        conversation=refined.conversations.get(0),
        raw=None if is_exact else base64.b64encode(said.exact + b"\n").decode(),
    )
    return record, int((received if far else stated) * 1000)
