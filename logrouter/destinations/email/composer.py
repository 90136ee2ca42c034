"""Composes a mail from a `Due`: renders subject, text and HTML by templates, safe from whatever log lines contain.

The mail is RFC 5322 with CRLF. Equal digests give an equal Message-ID (RFC 5322, 3.6.4), so that a mail which is sent
again can be recognized.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from logrouter.destinations.email import mime
from logrouter.destinations.email import sandbox as bounded
from logrouter.destinations.email.renderer import HTML, SHIPPED, SUBJECT, TEXT, Rendered, Templates
from logrouter.destinations.email.sandbox import TemplateError
from logrouter.destinations.notify.digest import Digest, DigestGroup, DigestMessage
from logrouter.destinations.notify.pacing import Due
from logrouter.observability import events
from logrouter.support.terminal import printable
from logrouter.wire.routing_key import RANK

_SUBJECT_LENGTH = 160
_WITHHELD_SHOWN = 30
_LIST_ID_LENGTH = 255
"""RFC 2919, 3."""

_DOMAIN_LENGTH = 200
"""The most characters of the domain in a Message-ID, because the broker takes at most 255 for the whole id."""

_shipped = Templates(SHIPPED)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all mails of a destination have in common.

    router: the name of the host that sends them.
    per_hour: the most mails within an hour, for the text of mails.
    templates: a directory whose files replace the shipped templates, or None.
    """

    destination: str
    instance: str
    router: str
    sender: str
    recipients: tuple[str, ...]
    zone: ZoneInfo
    per_hour: int
    templates: Path | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail. message_id: with its angle brackets.   content: headers and body."""

    message_id: str
    content: bytes


class Composer:
    """Writes the mails of one destination."""

    def __init__(self, letterhead: Letterhead) -> None:
        self._head = letterhead

    def compose(self, due: Due, now: float) -> Mail:
        """Return the mail, with `now` as its date. If the user's templates fail, the shipped ones are used."""
        # A template of a user's own may write anything too, such as control characters or lone surrogates.
        texts = {name: printable(text, newlines=True) for name, text in self._rendered(self._context(due)).items()}
        identity = self._identity(due)
        message_id = f"<{identity}@{self._head.sender.rpartition('@')[2][-_DOMAIN_LENGTH:].lstrip('.-')}>"
        headers = self._headers(texts[SUBJECT], message_id, now)
        return Mail(message_id, mime.alternatives(headers, texts[TEXT], texts[HTML], identity))

    def check(self, *dues: Due) -> None:
        """Raise TemplateError if the user's templates cannot render these mails."""
        if self._head.templates:
            bounded.render(self._head.templates, [self._context(due) for due in dues])

    def _rendered(self, context: dict[str, Any]) -> Rendered:
        if self._head.templates:
            try:
                (texts,) = bounded.render(self._head.templates, [context])
            except TemplateError as error:
                events.TEMPLATE_FAILED.happened(destination=self._head.destination, reason=error)
            else:
                return texts
        return _shipped.render(context)

    def _identity(self, due: Due) -> str:
        what = due.digest.identity if due.digest else f"withheld {due.withheld and due.withheld.since}"
        text = f"{self._head.instance}\0{self._head.destination}\0{what}"
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def _headers(self, subject: str, message_id: str, now: float) -> list[str]:
        head = self._head
        recipients = [f"{each}," for each in head.recipients]
        return [
            mime.token_header("From", ["logrouter", f"<{head.sender}>"]),
            mime.token_header("To", [*recipients[:-1], recipients[-1].removesuffix(",")]),
            mime.text_header("Subject", printable(subject.strip())[:_SUBJECT_LENGTH].strip()),
            mime.token_header("Date", [format_datetime(datetime.fromtimestamp(now, UTC))]),
            mime.token_header("Message-ID", [message_id]),
            "Auto-Submitted: auto-generated",
            mime.token_header("List-Id", [f"<{_list_id(head)}>"]),
        ]

    def _context(self, due: Due) -> dict[str, Any]:
        """Return what templates see: only text, numbers, lists and mappings, and no object with a method of ours."""
        head, digest = self._head, due.digest
        clock = _Clock(head.zone, digest.opened if digest else due.withheld.since if due.withheld else 0.0)
        return {
            "total": digest.total if digest else 0,
            "first": clock.ts(digest.first) if digest else "",
            "last": clock.ts(digest.last) if digest else "",
            "groups": [_group(group, clock) for group in digest.by_severity()] if digest else [],
            "other": digest.other if digest else 0,
            "withheld": _withheld(due, clock),
            "until": clock.at(due.until),
            "per_hour": head.per_hour,
            "zone": printable(str(head.zone)),
            "rules": _rules(digest),
            "destination": head.destination,
            "instance": printable(head.instance),
            "router": printable(head.router),
            "command": _command(digest),
        }


def _group(group: DigestGroup, clock: _Clock) -> dict[str, Any]:
    messages = [_message(message, clock) for message in group.messages.values()]
    names = {name: printable(getattr(group, name)) for name in ("service", "host", "severity")}
    return {**names, "count": group.count, "more": group.more, "messages": messages}


def _message(message: DigestMessage, clock: _Clock) -> dict[str, Any]:
    text = printable(message.text.replace("\r\n", "\n").rstrip("\n"), newlines=True)
    return {"at": clock.ts(message.first), "last": clock.ts(message.last), "count": message.count, "text": text}


def _withheld(due: Due, clock: _Clock) -> dict[str, Any] | None:
    withheld = due.withheld
    if withheld is None:
        return None
    counts = sorted(withheld.counts.items(), key=lambda item: -item[1])
    shown = [(printable(name), count) for name, count in counts[:_WITHHELD_SHOWN]]
    if rest := sum(count for _, count in counts[_WITHHELD_SHOWN:]):
        shown.append(("from other services and hosts", rest))
    return {"since": clock.at(withheld.since), "total": withheld.total, "mails": withheld.mails, "counts": shown}


@dataclass(frozen=True, slots=True)
class _Clock:
    """Formats times of day in `zone`, with the date if it is not the day of `reference` (Unix time)."""

    zone: ZoneInfo
    reference: float

    def ts(self, ts: str) -> str:
        """Format an RFC 3339 time. '' gives ''."""
        return self._shown(datetime.fromisoformat(ts).astimezone(self.zone)) if ts else ""

    def at(self, seconds: float | None) -> str:
        """Format a Unix time. None gives ''."""
        return "" if seconds is None else self._shown(datetime.fromtimestamp(seconds, self.zone))

    def _shown(self, moment: datetime) -> str:
        is_near = moment.date() == datetime.fromtimestamp(self.reference, self.zone).date()
        return f"{moment:%H:%M:%S}" if is_near else f"{moment:%Y-%m-%d %H:%M:%S}"


def _list_id(head: Letterhead) -> str:
    """Return the list's id in printable ASCII, whatever the instance is called. An id that is too long has a hash."""
    name = f"{quote(head.destination, safe='')}.{quote(head.instance, safe='', errors='replace')}.logrouter"
    if len(name) <= _LIST_ID_LENGTH:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{quote(head.destination, safe='')[:64]}.{digest}.logrouter"


def _rules(digest: Digest | None) -> str:
    if digest is None:
        return "the mail limit"
    names = [f"rule `{printable(name)}`" if name != "default" else "the default" for name in digest.rules]
    return ", ".join(names)


def _command(digest: Digest | None) -> str:
    """Return the command that prints the digest's records from the archive."""
    mildest = digest.by_severity()[-1:] if digest else []
    severity = f" --severity {mildest[0].severity}" if mildest and mildest[0].severity in RANK else ""
    since = f" --since {digest.first[:19]}Z" if digest and digest.first else ""
    return f"logrouter cat{severity}{since}"
