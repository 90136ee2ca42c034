"""The email destination: gathers records into a digest for `group_wait`, then mails it to each recipient separately."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from logrouter.destinations.contract import Taken
from logrouter.destinations.email.composer import Composer, Letterhead
from logrouter.destinations.email.transport import Send
from logrouter.destinations.notify.pacing import Due, Memory, Pacing
from logrouter.errors import Refuse
from logrouter.wire.message import Message
from logrouter.wire.record import Record

TYPE = "logrouter.mail/1"
_RECIPIENT = "x-logrouter-recipient"
_PROGRAM = "logrouter"


class Email:
    """The notifying destination that sends mail. group_wait: seconds for which a digest stays open."""

    def __init__(self, letterhead: Letterhead, send: Send, *, group_wait: float) -> None:
        self.name = letterhead.destination
        self._head = letterhead
        self._composer = Composer(letterhead)
        self._send = send
        self._group_wait = group_wait

    def resume(self, note: str) -> MailGathering:
        memory = msgspec.json.decode(note, type=Memory) if note else Memory()
        return MailGathering(self.name, Pacing(memory, self._group_wait, self._head.per_hour))

    def compose(self, digest: bytes, now: float) -> tuple[Message, ...]:
        """Return the mail of a digest, once for each recipient."""
        mail = self._composer.compose(msgspec.json.decode(digest, type=Due), now)
        return tuple(
            Message(
                key="",
                body=mail.content,
                type=TYPE,
                content_type="message/rfc822",
                message_id=mail.message_id,
                headers={_RECIPIENT: recipient},
            )
            for recipient in self._head.recipients
        )

    async def deliver(self, notification: Message) -> None:
        """Send one mail to one recipient. Raises Retry, Refuse."""
        recipient = notification.headers.get(_RECIPIENT)
        if notification.type != TYPE or not isinstance(recipient, str):
            raise Refuse("this is not a mail that logrouter composed")
        await self._send(self._head.sender, recipient, notification.body, notification.message_id)


class MailGathering:
    """The gathering of an email destination."""

    def __init__(self, destination: str, pacing: Pacing) -> None:
        self._pacing = pacing
        # All sentences in events.py about notifications begin like this.
        self._own = re.compile(rf"notification\.\w+: destination {re.escape(destination)}(?![\w-])")

    def add(self, identity: str, rule: str, records: Sequence[Record], now: float) -> None:
        """Add records, except for logrouter's own events about this destination: each mail could then cause another."""
        kept = [record for record in records if not self._is_own(record)]
        if kept:
            self._pacing.add(identity, rule, kept, now)

    def take(self, now: float, *, at_once: bool = False) -> Taken:
        due = self._pacing.take(now, at_once=at_once)
        note = msgspec.json.encode(self._pacing.memory).decode()
        return Taken(msgspec.json.encode(due) if due else b"", note, self._pacing.due())

    def _is_own(self, record: Record) -> bool:
        return _PROGRAM in (record.app, record.service) and self._own.search(record.message) is not None
