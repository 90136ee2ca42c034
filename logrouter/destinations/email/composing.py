"""What is due -> a mail as bytes: subject, text and HTML by templates, in a sandbox, safe from what lines say.

In comes a `Due`, out comes RFC 5322 with CRLF. Equal digests give an equal Message-ID (RFC 5322, 3.6.4), so that a mail
that has to be sent again can be known as the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from logrouter.destinations.email.digest import Digest, Group, Told
from logrouter.destinations.email.pacing import Due
from logrouter.keys import RANK
from logrouter.observe import events
from logrouter.printable import printable

SHIPPED = Path(__file__).parent / "templates"
SUBJECT, TEXT, HTML = "subject.txt", "text.txt", "mail.html"
_SUBJECT_LENGTH = 160
_WITHHELD_SHOWN = 30

Rendered = Mapping[str, str]
"""What each of the three templates gave."""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all mails of a destination have in common. router: the name of the machine that sends.

    templates: a directory whose files stand in for the shipped ones, None for those alone.
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
    """A mail. message_id: with its angle brackets."""

    message_id: str
    content: bytes


class Composer:
    """Writes the mails of one destination."""

    def __init__(self, letterhead: Letterhead) -> None:
        self._head = letterhead
        self._shipped = _environment(SHIPPED)
        self._own = _environment(letterhead.templates, SHIPPED) if letterhead.templates else self._shipped

    def compose(self, due: Due, now: float) -> Mail:
        """The mail; `now` is its date. Where the user's templates fail it is written by the shipped ones."""
        context = self._context(due)
        try:
            texts = _render(self._own, context)
        except Exception as error:  # noqa: BLE001  # a program of somebody else's, which raises whatever it comes to
            reason = printable(str(error) or type(error).__name__)
            events.TEMPLATE_FAILED.happened(destination=self._head.destination, reason=reason)
            texts = _render(self._shipped, context)
        message_id = f"<{self._identity(due)}@{self._head.sender.rpartition('@')[2]}>"
        return Mail(message_id, self._message(texts, message_id, now).as_bytes(policy=SMTP) + b"\r\n")

    def check(self, due: Due) -> None:
        """Raise whatever a template comes to if the user's templates cannot write this mail."""
        _render(self._own, self._context(due))

    def _identity(self, due: Due) -> str:
        what = due.digest.identity if due.digest else f"withheld {due.withheld and due.withheld.since}"
        text = f"{self._head.instance}\0{self._head.destination}\0{what}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _message(self, texts: Rendered, message_id: str, now: float) -> EmailMessage:
        head = self._head
        message = EmailMessage(policy=SMTP)
        message["From"] = f"logrouter <{head.sender}>"
        message["To"] = ", ".join(head.recipients)
        message["Subject"] = " ".join(printable(texts[SUBJECT].strip()).split())[:_SUBJECT_LENGTH]
        message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        message["List-Id"] = f"<{head.destination}.{head.instance}.logrouter>"
        message.set_content(texts[TEXT])
        message.add_alternative(texts[HTML], subtype="html")
        return message

    def _context(self, due: Due) -> dict[str, Any]:
        """What templates see: text, numbers, lists and mappings, and nothing that has a method of ours."""
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
            "zone": str(head.zone),
            "rules": _rules(digest),
            "destination": head.destination,
            "instance": head.instance,
            "router": head.router,
            "command": _command(digest),
        }


def _group(group: Group, clock: _Clock) -> dict[str, Any]:
    messages = [_told(told, clock) for told in group.messages.values()]
    names = {name: printable(getattr(group, name)) for name in ("service", "host", "severity")}
    return {**names, "count": group.count, "more": group.more, "messages": messages}


def _told(told: Told, clock: _Clock) -> dict[str, Any]:
    text = printable(told.text.replace("\r\n", "\n").rstrip("\n"), newlines=True)
    return {"at": clock.ts(told.first), "last": clock.ts(told.last), "count": told.count, "text": text}


def _withheld(due: Due, clock: _Clock) -> dict[str, Any] | None:
    withheld = due.withheld
    if withheld is None:
        return None
    counts = sorted(withheld.counts.items(), key=lambda item: -item[1])
    shown = [(printable(name), count) for name, count in counts[:_WITHHELD_SHOWN]]
    if rest := sum(count for _, count in counts[_WITHHELD_SHOWN:]):
        shown.append(("of further services and hosts", rest))
    return {"since": clock.at(withheld.since), "total": withheld.total, "mails": withheld.mails, "counts": shown}


@dataclass(frozen=True, slots=True)
class _Clock:
    """Times of day for readers; of other days than that of `reference` (Unix time) the date as well."""

    zone: ZoneInfo
    reference: float

    def ts(self, ts: str) -> str:
        """Of an RFC 3339 time, '' for ''."""
        return self._shown(datetime.fromisoformat(ts).astimezone(self.zone)) if ts else ""

    def at(self, seconds: float | None) -> str:
        """Of a Unix time, '' for None."""
        return "" if seconds is None else self._shown(datetime.fromtimestamp(seconds, self.zone))

    def _shown(self, moment: datetime) -> str:
        is_near = moment.date() == datetime.fromtimestamp(self.reference, self.zone).date()
        return f"{moment:%H:%M:%S}" if is_near else f"{moment:%Y-%m-%d %H:%M:%S}"


def _environment(*directories: Path) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(directories),
        autoescape=lambda name: (name or "").endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(environment: ImmutableSandboxedEnvironment, context: Mapping[str, Any]) -> Rendered:
    return {name: environment.get_template(name).render(mail=context) for name in (SUBJECT, TEXT, HTML)}


def _rules(digest: Digest | None) -> str:
    if digest is None:
        return "the limit on mails"
    names = [f"rule `{printable(name)}`" if name != "default" else "the default" for name in digest.rules]
    return ", ".join(names)


def _command(digest: Digest | None) -> str:
    """What shows all of it in the archive."""
    mildest = digest.by_severity()[-1:] if digest else []
    severity = f" --severity {mildest[0].severity}" if mildest and mildest[0].severity in RANK else ""
    since = f" --since {digest.first[:19]}Z" if digest and digest.first else ""
    return f"logrouter cat{severity}{since}"
