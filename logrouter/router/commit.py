"""Commits: groups of decided windows become durable, all together or not at all.

In comes a group; its files are written and synced, what is to be handed on is confirmed, the ledger's one transaction
makes it true, and only then may its deliveries be acknowledged. Anything that fails before the transaction is taken
back and tried again: the group stays in memory, the broker's prefetch stops the flow meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from logrouter.broker.contract import Delivery, Session
from logrouter.destinations.contract import Inline
from logrouter.errors import Retry
from logrouter.ledger.ledger import INGRESS, Counted, Entry, FileState, Ledger
from logrouter.message import Message
from logrouter.observe import events, metrics
from logrouter.router.assembly import Release
from logrouter.rules.decision import Decide
from logrouter.slices import Slice
from logrouter.waiting import wait

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
"""Seconds between two tries of a commit."""

_TIDY_SECONDS = 10.0

FOREIGN_MEMORY = 86_400
"""Seconds for which the id of a foreign message is remembered."""


@dataclass(slots=True)
class Group:
    """What the next commit will hold. `size` is bytes of records."""

    windows: dict[str, list[list[Slice]]] = field(default_factory=dict)
    entry: Entry = field(default_factory=Entry)
    outgoing: list[Message] = field(default_factory=list)  # each under its queue's name as key
    deliveries: list[Delivery] = field(default_factory=list)
    size: int = 0

    def add(self, release: Release[Delivery], decide: Decide) -> None:
        """Decide a release and put it in."""
        source = (INGRESS, release.source)
        self.entry.add_decided(*source, release.decided)
        if release.repeated:
            self.entry.repeated[source] = self.entry.repeated.get(source, 0) + release.repeated
        if release.late or release.hole:
            self.entry.late[source] = self.entry.late.get(source, 0) + 1
        self._route(release.slices, decide)
        self.deliveries.extend(release.tokens)

    def add_foreign(self, piece: Slice, delivery: Delivery, decide: Decide) -> None:
        """Decide one foreign record and put it in."""
        self._route((piece,), decide)
        self.deliveries.append(delivery)

    def hand_over(self, queue: str, message: Message, delivery: Delivery | None, **headers: Any) -> None:
        """Put in a copy of a message for another queue; `delivery` is None while something else settles it."""
        added = {f"x-logrouter-{name}": value for name, value in headers.items()}
        copy = replace(message, key=queue, headers={**message.headers, "x-logrouter-key": message.key, **added})
        self.outgoing.append(copy)
        if delivery is not None:
            self.deliveries.append(delivery)

    def _route(self, slices: tuple[Slice, ...], decide: Decide) -> None:
        windows: dict[str, list[Slice]] = {}
        for whole in slices:
            for piece, destinations in decide(whole):
                self.size += len(piece.body)
                for name in destinations:
                    windows.setdefault(name, []).append(piece)
                    counted = Counted(piece.source, name, _day(piece.first), piece.service, piece.host)
                    self.entry.counts[counted] = self.entry.counts.get(counted, 0) + len(piece)
        for name, window in windows.items():
            self.windows.setdefault(name, []).append(window)

    def __bool__(self) -> bool:
        return bool(self.deliveries)


def _day(milliseconds: int) -> str:
    return _day_of(milliseconds // 86_400_000)


@functools.lru_cache(maxsize=64)
def _day_of(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days)).isoformat()


class Commits:
    """Makes groups durable, one after the other."""

    def __init__(self, ledger: Ledger, inline: Mapping[str, Inline]) -> None:
        self._ledger = ledger
        self._inline = inline
        self._tidy_at = 0.0
        self._failing = events.Condition(events.COMMIT_FAILING, events.COMMIT_RESUMED)

    async def commit(self, group: Group, session: Session, abandon: asyncio.Event) -> None:
        """Return once the group is in the ledger. Never cancel it: a transaction under way cannot be called back.

        Raises BrokerError if something to hand on was not confirmed, Retry if `abandon` is set between two tries.
        """
        await asyncio.gather(*(session.publish("", message) for message in group.outgoing))
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._once(group)
                break
            except (Retry, sqlite3.Error) as error:
                self._failing.begin(reason=error)
                await wait(abandon, pause)
                if abandon.is_set():
                    raise Retry(str(error)) from error
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._failing.end()
        for counted, records in group.entry.counts.items():
            metrics.DECIDED.labels(counted.destination).inc(records)

    async def _once(self, group: Group) -> None:
        touched = [self._inline[name] for name in group.windows]
        results = await asyncio.gather(
            *(self._inline[name].write(windows) for name, windows in group.windows.items()), return_exceptions=True
        )
        try:
            files: list[FileState] = []
            for written in results:
                files += _or_raise(written)
            await asyncio.to_thread(self._ledger.commit, replace(group.entry, files=files))
        except BaseException:
            for destination in touched:
                await destination.undo()
            raise
        for destination in touched:
            await destination.committed()

    async def recover(self) -> None:
        """Put every destination in agreement with the ledger, before anything is committed."""
        for destination in self._inline.values():
            await destination.recover()

    async def tidy(self) -> None:
        """At most every ten seconds: let each destination finish what is due, one ledger step at a time."""
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_SECONDS
        try:
            for destination in self._inline.values():
                if files := await destination.tidy():
                    await asyncio.to_thread(self._ledger.commit, Entry(files=files))
            await asyncio.to_thread(self._ledger.forget_foreign, int(time.time()) - FOREIGN_MEMORY)
        except (OSError, sqlite3.Error) as error:
            events.TIDY_FAILED.happened(reason=error)

    async def close(self) -> None:
        """Close every destination; what is committed is safe."""
        for destination in self._inline.values():
            await destination.close()


def _or_raise(written: list[FileState] | BaseException) -> list[FileState]:
    if isinstance(written, BaseException):
        raise written
    return written
