"""Commits: groups of decided windows become durable, all together or not at all.

In comes a group; its files are written and synced, what is to be handed on is confirmed, the ledger's one transaction
makes it true, and only then may its deliveries be acknowledged. Anything that fails before the transaction is taken
back and tried again: the group stays in memory, the broker's prefetch stops the flow meanwhile. A destination that
fails for long is set aside, so that the others flow.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from logrouter.broker.contract import Session
from logrouter.destinations.contract import Inline, Window
from logrouter.errors import Retry
from logrouter.faultpoint import reach
from logrouter.ledger.ledger import DECIDED, Counted, Entry, FileState, Ledger
from logrouter.observe import events, metrics
from logrouter.router.aside import Aside
from logrouter.router.group import Group
from logrouter.waiting import wait

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
"""Seconds between two tries of a commit."""

_TIDY_SECONDS = 10.0

SEEN_SECONDS = 86_400
"""Seconds for which the id of a message that comes in no window is remembered."""


class Commits:
    """Makes groups durable, one after the other.

    set_aside_after: seconds for which a destination may fail, or not answer, before it is set aside.
    """

    def __init__(
        self, ledger: Ledger, inline: Mapping[str, Inline], instance: str = "main", set_aside_after: float = 5.0
    ) -> None:
        self.aside = Aside(ledger, instance, inline)
        self._ledger = ledger
        self._inline = inline
        self._set_aside_after = set_aside_after
        self._hung: dict[str, asyncio.Task[list[FileState]]] = {}
        self._doubtful: set[str] = set()
        self._clearing = asyncio.Lock()
        self._tidy_at = 0.0
        self._failing = events.Condition(events.COMMIT_FAILING, events.COMMIT_RESUMED)

    async def commit(self, group: Group, session: Session, abandon: asyncio.Event) -> None:
        """Return once the group is in the ledger. Never cancel it: a transaction under way cannot be called back.

        A destination that does not take its windows for too long is set aside, and they are handed to its queue.
        Raises BrokerError if something to hand on was not confirmed, Retry if `abandon` is set between two tries.
        """
        await asyncio.gather(*(session.publish("", message) for message in group.outgoing))
        reach("router.handoff.confirmed")
        windows = dict(group.windows)
        pause, began = _FIRST_PAUSE, time.monotonic()
        while True:
            for name in [name for name in windows if name in self.aside]:
                if await self.aside.hand_over(session, name, windows[name]):
                    del windows[name]
            failures = await self._try(windows, group.entry)
            if not failures:
                break
            reason = next(iter(failures.values()))
            self._failing.begin(reason=reason)
            await wait(abandon, pause)
            if abandon.is_set():
                raise Retry(str(reason)) from reason
            pause = min(pause * 2, _LONGEST_PAUSE)
            for name in failures.keys() & windows.keys():
                if name in self._hung or time.monotonic() - began >= self._set_aside_after:
                    await self.aside.begin(session, name, failures[name])
        self._failing.end()
        _count(group.entry.counts)

    async def commit_aside(self, name: str, windows: Sequence[Window]) -> None:
        """Write windows that come from a destination's own queue, each record once. Raises Retry, sqlite3.Error."""
        new = self.aside.unwritten(name, windows)
        entry = self.aside.entry(name, new)
        if failures := await self._try({name: new}, entry):
            raise next(iter(failures.values()))
        self.aside.remember(entry)

    async def _try(self, windows: Mapping[str, Sequence[Window]], entry: Entry) -> dict[str, Exception]:
        """Write and commit once. What failed, by destination ('' is the ledger); if anything did, nothing remains."""
        try:
            await self._clear_doubt()
        except sqlite3.Error as error:
            return {"": error}
        outcomes = dict(zip(windows, await asyncio.gather(*map(self._write, windows, windows.values())), strict=True))
        failures: dict[str, Exception] = {name: each for name, each in outcomes.items() if isinstance(each, Retry)}
        written = [file for outcome in outcomes.values() if not isinstance(outcome, Retry) for file in outcome]
        try:
            if not failures:
                await asyncio.to_thread(self._ledger.commit, replace(entry, files=written))
        except sqlite3.Error as error:
            self._doubtful |= windows.keys()
            return {"": error}
        for name in windows.keys() - self._hung.keys():
            destination = self._inline[name]
            await (destination.undo() if failures else destination.committed())
        return failures

    async def _clear_doubt(self) -> None:
        """Undo what a commit of the ledger left behind that failed. Raises sqlite3.Error while that cannot be done.

        Until the ledger has renounced it, a crash could bring the failed commit back: then the files must be there.
        """
        async with self._clearing:
            if self._doubtful:
                await asyncio.to_thread(self._ledger.renounce)
                for name in self._doubtful:
                    await self._inline[name].undo()
                self._doubtful.clear()

    async def _write(self, name: str, windows: Sequence[Window]) -> list[FileState] | Retry:
        """What a destination answers; one that does not is left alone until it does."""
        destination = self._inline[name]
        if hung := self._hung.get(name):
            await asyncio.wait({hung}, timeout=self._set_aside_after)
            if hung.done():
                del self._hung[name]
                await destination.undo()
        if name not in self._hung:
            writing = asyncio.create_task(destination.write(self.aside.unwritten(name, windows)))
            await asyncio.wait({writing}, timeout=self._set_aside_after)
            if writing.done():
                return _answer(writing)
            self._hung[name] = writing
        return Retry(f"{name} does not answer")

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
            for name, destination in self._inline.items():
                if name not in self.aside and name not in self._doubtful and (files := await destination.tidy()):
                    await asyncio.to_thread(self._ledger.commit, Entry(files=files))
            await asyncio.to_thread(self._ledger.forget_seen, int(time.time()) - SEEN_SECONDS)
            self.aside.forget()
        except (OSError, sqlite3.Error) as error:
            events.TIDY_FAILED.happened(reason=error)

    async def close(self) -> None:
        """Close every destination that answers; what is committed is safe."""
        for name, destination in self._inline.items():
            if name not in self._hung:
                await destination.close()


def _count(counts: Mapping[Counted, int]) -> None:
    for counted, records in counts.items():
        if counted.destination == DECIDED:
            metrics.ROUTED.labels(counted.service).inc(records)
        else:
            metrics.DECIDED.labels(counted.destination).inc(records)


def _answer(writing: asyncio.Task[list[FileState]]) -> list[FileState] | Retry:
    try:
        return writing.result()
    except Retry as error:
        return error
