"""Digests: what one mail will tell, however many records it stands for. Pure, and of bounded size.

In come records, out goes how many there were of each service, host and severity, and the first distinct messages of
each. Counts are exact whatever the number; texts are kept up to a bound.
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
"""Groups whose messages are kept; records of further ones are counted together."""

MAX_MESSAGES = 8
"""Distinct messages of a group."""

MAX_TEXT = 1000
"""Characters kept of a message."""

MAX_NAME = 255
"""Characters kept of the name of a service or host."""

_TIME = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
MAX_KEPT = 100_000
"""Characters of all messages in a mail: many servers take no more than 10 MB, and each stands there twice."""

_UNKNOWN = len(RANK)


class DigestMessage(msgspec.Struct):
    """A message, when it was first and last said (RFC 3339, '' for unknown), and how often."""

    text: str
    first: str
    last: str
    count: int = 1


class DigestGroup(msgspec.Struct):
    """The records of one service, host and severity. messages: the first distinct ones by their text."""

    service: str
    host: str
    severity: str
    count: int = 0
    messages: dict[str, DigestMessage] = msgspec.field(default_factory=dict)

    @property
    def more(self) -> int:
        """Records whose message is not among those kept."""
        return self.count - sum(told.count for told in self.messages.values())

    def add(self, record: Record, at: str, room: int) -> int:
        """Count a record, said at that time; keep its message if it is among the first distinct ones and has room.

        Returns the characters that are newly kept, `room` at most.
        """
        self.count += 1
        text = record.message[: min(MAX_TEXT, room)]
        told = self.messages.get(text)
        if told is not None:
            told.count += 1
            told.first, told.last = _earlier(told.first, at), max(told.last, at)
        elif len(self.messages) < MAX_MESSAGES and room:
            self.messages[text] = DigestMessage(text, at, at)
            return len(text)
        return 0


class Digest(msgspec.Struct):
    """Records that are told of together.

    opened: Unix time of the first batch.   first, last: times of all records (RFC 3339), '' for unknown.
    rules: records by the rule that sent them.   other: records beyond MAX_GROUPS.
    identity: a hash that is equal for equal batches, in whatever order they came.   room: characters that may be kept.
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
        """Take the records of one batch."""
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
        """The groups, the worst first, of equal ones the most frequent."""
        return sorted(self.groups.values(), key=lambda group: (RANK.get(group.severity, _UNKNOWN), -group.count))

    def counts(self) -> Iterator[tuple[str, int]]:
        """Records by what they are counted by in a summary."""
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
    """The time as the record has it, '' where it is none of a year that every time zone can show."""
    if not _TIME.fullmatch(ts):
        return ""
    try:
        datetime.fromisoformat(ts)
    except ValueError:
        return ""
    return ts


def _earlier(one: str, other: str) -> str:
    return min(one, other) if one and other else one or other
