"""Groups: the content of one commit.

Releases and foreign records are decided once, when they are added. A group then holds windows by inline destination,
messages for other destinations and for the dead letters, the ledger's entry, and the deliveries to acknowledge when all
of that is durable.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from logrouter.broker.contract import Delivery
from logrouter.ledger.ledger import DECIDED, INGRESS, Counted, LedgerEntry
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.handoff import Handoff, message_of
from logrouter.router.reorder import Release
from logrouter.rules.decision import Decide, Decision
from logrouter.wire.message import Message
from logrouter.wire.slices import Slice


@dataclass(slots=True)
class CommitGroup:
    """The content of one commit.

    handoffs: the destinations that are not inline, by name.
    outgoing: messages to publish, each with the name of its queue as routing key.
    short: for each incomplete window, its source and the ranges that it claims and has no records for.
    size: bytes of records, and of messages for the dead letters.
    """

    dead_letters: DeadLetters
    handoffs: Mapping[str, Handoff] = field(default_factory=dict)
    windows: dict[str, list[list[Slice]]] = field(default_factory=dict)
    entry: LedgerEntry = field(default_factory=LedgerEntry)
    outgoing: list[Message] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    short: list[tuple[str, tuple[tuple[int, int], ...]]] = field(default_factory=list)
    size: int = 0

    def add(self, release: Release[Delivery], decide: Decide) -> None:
        """Decide a release and add it."""
        source = (INGRESS, release.source)
        self.entry.add_decided(*source, release.decided)
        if release.repeated:
            self.entry.repeated[source] = self.entry.repeated.get(source, 0) + release.repeated
        if release.late or release.hole:
            self.entry.late[source] = self.entry.late.get(source, 0) + 1
        if release.after is not None:
            self.entry.chains[release.source] = release.after
        if release.shared:
            self.entry.shared.add(release.source)
        if release.short:
            self.short.append((release.source, release.short))
        if release.again:
            self.entry.healed += sum(map(len, release.slices))
        self._route(release.slices, decide)
        for piece, error in release.failed:
            self._refuse(piece, error)
        self.deliveries.extend(release.tokens)

    def add_foreign(self, piece: Slice, delivery: Delivery, decide: Decide) -> None:
        """Decide one foreign record and add it."""
        self._route((piece,), decide)
        self.deliveries.append(delivery)

    def add_dead_letter(self, message: Message, error: Exception, delivery: Delivery | None = None) -> None:
        """Add a dead letter for a message. `delivery` is acknowledged with the group."""
        self.size += len(message.body)
        self.outgoing.append(self.dead_letters.letter(message, error))
        if delivery is not None:
            self.deliveries.append(delivery)

    def withdraw(self, name: str, window: Sequence[Slice], error: Exception) -> list[Message]:
        """Remove a window that its destination cannot hold, and return the dead letters for it."""
        self.windows[name] = [each for each in self.windows[name] if each is not window]
        for piece in window:
            self._count(piece, (name,), -1)
        return [self.dead_letters.letter(message_of(piece), error) for piece in window]

    def _route(self, slices: tuple[Slice, ...], decide: Decide) -> None:
        windows: dict[str, list[Slice]] = {}
        for whole in slices:
            try:
                decisions = decide(whole)
            except Exception as error:  # noqa: BLE001  # rules that fail on one slice must not stop the others
                self._refuse(whole, error)
                continue
            self._take(decisions, windows)
        for name, window in windows.items():
            self.windows.setdefault(name, []).append(window)

    def _take(self, decisions: Iterable[Decision], windows: dict[str, list[Slice]]) -> None:
        for piece, targets in decisions:
            self.size += len(piece.body)
            self._count(piece, (DECIDED, *(target.destination for target in targets)))
            for name, rule in targets:
                if handoff := self.handoffs.get(name):
                    self.outgoing.append(handoff.message(piece, rule))
                else:
                    windows.setdefault(name, []).append(piece)

    def _refuse(self, piece: Slice, error: Exception) -> None:
        self._count(piece, (DECIDED,))
        self.add_dead_letter(message_of(piece), error)

    def _count(self, piece: Slice, destinations: tuple[str, ...], sign: int = 1) -> None:
        for day, records in _by_day(piece):
            for name in destinations:
                counted = Counted(piece.source, name, day, piece.service, piece.host)
                self.entry.counts[counted] = self.entry.counts.get(counted, 0) + sign * records

    def __bool__(self) -> bool:
        return bool(self.deliveries)


def _by_day(piece: Slice) -> Iterable[tuple[str, int]]:
    """Return the days (UTC) under which the records are filed, each with its record count."""
    day = _day(piece.first)
    if day == _day(piece.last):
        return ((day, len(piece)),)
    return Counter(time[:10] for time in piece.filed_at()).items()


def _day(milliseconds: int) -> str:
    return _day_of(milliseconds // 86_400_000)


@functools.lru_cache(maxsize=64)
def _day_of(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
