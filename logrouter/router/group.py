"""Groups: what the next commit will hold. Pure.

In come releases and foreign records, each is decided once; out go windows by inline destination, messages for the
others, the ledger's entry, and the deliveries to acknowledge once all that is durable.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from logrouter.broker.contract import Delivery
from logrouter.ledger.ledger import DECIDED, INGRESS, Counted, Entry
from logrouter.message import Message
from logrouter.router.assembly import Release
from logrouter.router.handoff import Handoff
from logrouter.rules.decision import Decide
from logrouter.slices import Slice


@dataclass(slots=True)
class Group:
    """What the next commit will hold. `size` is bytes of records.

    handoffs: the destinations that are not inline.   outgoing: messages, each under its queue's name as key.
    short: what windows claim and have no records for, by source.
    """

    handoffs: Mapping[str, Handoff] = field(default_factory=dict)
    windows: dict[str, list[list[Slice]]] = field(default_factory=dict)
    entry: Entry = field(default_factory=Entry)
    outgoing: list[Message] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    short: list[tuple[str, tuple[tuple[int, int], ...]]] = field(default_factory=list)
    size: int = 0

    def add(self, release: Release[Delivery], decide: Decide) -> None:
        """Decide a release and put it in."""
        source = (INGRESS, release.source)
        self.entry.add_decided(*source, release.decided)
        if release.repeated:
            self.entry.repeated[source] = self.entry.repeated.get(source, 0) + release.repeated
        if release.late or release.hole:
            self.entry.late[source] = self.entry.late.get(source, 0) + 1
        if release.shared:
            self.entry.shared.add(release.source)
        if release.short:
            self.short.append((release.source, release.short))
        self._route(release.slices, decide)
        self.deliveries.extend(release.tokens)

    def add_foreign(self, piece: Slice, delivery: Delivery, decide: Decide) -> None:
        """Decide one foreign record and put it in."""
        self._route((piece,), decide)
        self.deliveries.append(delivery)

    def _route(self, slices: tuple[Slice, ...], decide: Decide) -> None:
        windows: dict[str, list[Slice]] = {}
        for whole in slices:
            for piece, targets in decide(whole):
                self.size += len(piece.body)
                self._count(piece, (DECIDED, *(target.destination for target in targets)))
                for name, rule in targets:
                    if handoff := self.handoffs.get(name):
                        self.outgoing.append(handoff.message(piece, rule))
                    else:
                        windows.setdefault(name, []).append(piece)
        for name, window in windows.items():
            self.windows.setdefault(name, []).append(window)

    def _count(self, piece: Slice, destinations: tuple[str, ...]) -> None:
        for day, records in _by_day(piece):
            for name in destinations:
                counted = Counted(piece.source, name, day, piece.service, piece.host)
                self.entry.counts[counted] = self.entry.counts.get(counted, 0) + records

    def __bool__(self) -> bool:
        return bool(self.deliveries)


def _by_day(piece: Slice) -> Iterable[tuple[str, int]]:
    """The days (UTC) under which records are filed, and how many are on each."""
    day = _day(piece.first)
    if day == _day(piece.last):
        return ((day, len(piece)),)
    return Counter(time[:10] for time in piece.filed_at()).items()


def _day(milliseconds: int) -> str:
    return _day_of(milliseconds // 86_400_000)


@functools.lru_cache(maxsize=64)
def _day_of(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
