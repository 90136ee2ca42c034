"""Digests: the content of one mail, however many records it stands for. Pure, and of bounded size.

A digest counts the records of each service, host and severity, and keeps the first distinct messages of each. The total
is always exact; groups and texts are kept up to a limit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from logrouter.wire.record import Record
from logrouter.wire.routing_key import RANK

MAX_GROUPS = 100
"""The most groups. Records of further groups are counted together."""

MAX_MESSAGES = 8
"""The most distinct messages of a group."""

MAX_TEXT = 1000
"""The most characters that are kept of a message."""

MAX_NAME = 255
"""The most characters that are kept of the name of a service or host."""

_TIME = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
MAX_KEPT = 100_000
"""The most characters of all messages in a mail: many servers take at most 10 MB, and a mail has each message twice."""

_UNKNOWN = len(RANK)


class DigestMessage(msgspec.Struct):
    """A distinct message: the times of its first and last record (RFC 3339, '' for unknown), and its record count."""

    text: str
    first: str
    last: str
    count: int = 1


class DigestGroup(msgspec.Struct):
    """The records of one service, host and severity. messages: the first distinct messages by their text."""

    service: str
    host: str
    severity: str
    count: int = 0
    messages: dict[str, DigestMessage] = msgspec.field(default_factory=dict)

    @property
    def more(self) -> int:
        """The number of records whose message is not kept."""
        return self.count - sum(message.count for message in self.messages.values())

    def add(self, record: Record, at: str, room: int) -> int:
        """Count a record of time `at`, and keep its message if that is among the first distinct ones and there is room.

        Returns how many more characters are kept now, at most `room`.
        """
        self.count += 1
        text = record.message[: min(MAX_TEXT, room)]
        message = self.messages.get(text)
        if message is not None:
            message.count += 1
            message.first, message.last = _earlier(message.first, at), max(message.last, at)
        elif len(self.messages) < MAX_MESSAGES and room:
            self.messages[text] = DigestMessage(text, at, at)
            return len(text)
        return 0


class Digest(msgspec.Struct):
    """A summary of records that are mailed together.

    opened: when the first batch came (Unix time).
    first, last: the earliest and latest time of the records (RFC 3339), '' for unknown.
    rules: the number of records by the rule that sent them.
    other: the number of records beyond MAX_GROUPS.
    identity: a hash that is equal for equal batches, in whatever order they came.
    room: how many more characters of messages may be kept.
    """

    opened: float
    total: int = 0
    first: str = ""
    last: str = ""
    groups: dict[str, DigestGroup] = msgspec.field(default_factory=dict)
    rules: dict[str, int] = msgspec.field(default_factory=dict)
    other: int = 0
    identity: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]+$")] = "0"
    room: int = MAX_KEPT

    def add(self, identity: str, rule: str, records: Sequence[Record]) -> None:
        """Add the records of one batch. identity: a name that the same batch always has."""
        digest = hashlib.blake2b(identity.encode(errors="surrogatepass"), digest_size=12).hexdigest()
        self.identity = f"{int(self.identity, 16) ^ int(digest, 16):x}"
        self.total += len(records)
        self.rules[rule] = self.rules.get(rule, 0) + len(records)
        for record in records:
            at = _time(record.ts)
            self.first, self.last = _earlier(self.first, at), max(self.last, at)
            group = self._group(record)
            if group is None:
                self.other += 1
            else:
                self.room -= group.add(record, at, self.room)

    def by_severity(self) -> list[DigestGroup]:
        """Return the groups by severity, the worst first, and within a severity by record count, the highest first."""
        return sorted(self.groups.values(), key=lambda group: (RANK.get(group.severity, _UNKNOWN), -group.count))

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield a label and a record count for each line of a summary."""
        for group in self.groups.values():
            yield f"{group.severity} {group.service}@{group.host}", group.count
        if self.other:
            yield "other", self.other

    def _group(self, record: Record) -> DigestGroup | None:
        severity, service, host = (each[:MAX_NAME] for each in (record.severity, record.service, record.host))
        name = f"{severity}\0{service}\0{host}"
        group = self.groups.get(name)
        if group is None and len(self.groups) < MAX_GROUPS:
            group = self.groups[name] = DigestGroup(service, host, severity)
        return group


def _time(ts: str) -> str:
    """Return the time of a record unchanged, or '' if it is invalid, or its year may be out of range in a time zone."""
    if not _TIME.fullmatch(ts):
        return ""
    try:
        datetime.fromisoformat(ts)
    except ValueError:
        return ""
    return ts


def _earlier(one: str, other: str) -> str:
    return min(one, other) if one and other else one or other
