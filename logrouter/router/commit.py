"""Commits: makes groups of decided windows durable, each group as a whole or not at all.

The messages that a group hands off are confirmed first, then its files are written and synced, then one transaction of
the ledger commits the group. Only then may its deliveries be acknowledged. Whatever fails before the transaction is
undone and retried: the group stays in memory, and the broker's prefetch stops the flow meanwhile. A destination that
fails for too long is set aside, so that the others continue.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from logrouter.broker.contract import Session
from logrouter.destinations.contract import Inline, Window
from logrouter.errors import Retry
from logrouter.ledger.ledger import DECIDED, Counted, FileState, Ledger, LedgerEntry
from logrouter.observability import events, metrics
from logrouter.observability.conditions import Condition
from logrouter.router.group import CommitGroup
from logrouter.router.handoff import hand_off
from logrouter.router.overflow import Overflow
from logrouter.support.aio import wait
from logrouter.support.backoff import Backoff
from logrouter.support.failpoint import reach
from logrouter.wire.message import Message
from logrouter.wire.ranges import format_ranges

_BACKOFF = Backoff(0.2, 10.0)
"""Seconds between two tries of a commit."""

_TRANSITIONAL = ("finishing", "expiring")
"""States of a file that has two names, or is about to be removed. No file stays in one of them when a router ends."""

_TIDY_SECONDS = 10.0

SEEN_SECONDS = 86_400
"""Seconds for which the ledger remembers the id of a message that is not part of a window."""


class Committer:
    """The commits of a router, one group after the other.

    set_aside_after: seconds for which a destination may fail, or not return, before it is set aside.
    """

    def __init__(
        self, ledger: Ledger, inline: Mapping[str, Inline], instance: str = "main", set_aside_after: float = 5.0
    ) -> None:
        self.aside = Overflow(ledger, instance, inline)
        self._ledger = ledger
        self._inline = inline
        self._set_aside_after = set_aside_after
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._in_doubt = False
        self._doubtful: set[str] = set()
        self._clearing = asyncio.Lock()
        self._placing = asyncio.Lock()
        self._tidy_at = 0.0
        self._failing = Condition(events.COMMIT_FAILING, events.COMMIT_RESUMED)

    async def commit(self, group: CommitGroup, session: Session, abandon: asyncio.Event) -> None:
        """Commit a group, and return when it is in the ledger.

        Do not cancel this: a transaction that is under way cannot be cancelled. A destination that does not take its
        windows for too long is set aside, and its windows wait in a file.
        Raises BrokerError if a message was not confirmed, Retry if `abandon` is set between two tries.
        """
        await asyncio.gather(*(hand_off(session, message) for message in group.outgoing))
        reach("router.handoff.confirmed")
        attempts, began = 0, time.monotonic()
        while failures := await self._place(group):
            if letters := self._withdraw_refused(group, failures):
                await asyncio.gather(*(hand_off(session, message) for message in letters))
                continue
            reason = next(iter(failures.values()))
            self._failing.begin(reason=reason)
            attempts += 1
            await wait(abandon, _BACKOFF.pause(attempts))
            if abandon.is_set():
                raise Retry(str(reason)) from reason
            for name in failures.keys() & self._inline.keys():
                if name not in self.aside and (name in self._busy or time.monotonic() - began >= self._set_aside_after):
                    self.aside.begin(name, failures[name])
        self._failing.end()
        _count(group.entry.counts)
        for source, ranges in group.short:
            events.WINDOW_INCOMPLETE.happened(source=source, ranges=format_ranges(ranges))

    def _withdraw_refused(self, group: CommitGroup, failures: Mapping[str, Exception]) -> list[Message]:
        """Remove the windows that a destination can never hold from a group, and return their dead letters."""
        return [
            letter
            for name in failures.keys() & self._inline.keys()
            for window in list(group.windows.get(name, ()))
            if (error := self._inline[name].refusal(window)) is not None
            for letter in group.withdraw(name, window, error)
        ]

    async def _place(self, group: CommitGroup) -> dict[str, Exception]:
        """Try once to write a group, and return the failures as `_try` does.

        The windows of a destination that is set aside go to its file.
        """
        async with self._placing:  # so that no destination becomes inline again meanwhile
            inline = {name: windows for name, windows in group.windows.items() if name not in self.aside}
            waiting = {name: windows for name, windows in group.windows.items() if name in self.aside}
            if refused := {name: error for name, windows in waiting.items() if (error := self._refused(name, windows))}:
                return refused  # a window that the destination can never hold must not get into its file
            try:
                await self._clear_doubt()
                aside = {name: await self.aside.append(name, windows) for name, windows in waiting.items()}
            except (Retry, sqlite3.Error) as error:
                return {"": error}
            return await self._try(inline, replace(group.entry, aside=aside))

    def _refused(self, name: str, windows: Sequence[Window]) -> Exception | None:
        """Return why a destination can never hold one of these windows, or None if it can hold all."""
        return next((error for window in windows if (error := self._inline[name].refusal(window))), None)

    async def replay(self, name: str) -> None:
        """Write the next windows that wait in the file of a destination. Raises Retry, sqlite3.Error."""
        windows, taken = await self.aside.read(name)
        if failures := await self._try({name: windows}, LedgerEntry(aside={name: taken})):
            raise next(iter(failures.values()))

    async def make_inline(self, name: str) -> bool:
        """Make a destination inline again if none of its windows wait. Report whether it is. Raises sqlite3.Error."""
        async with self._placing:
            if not self.aside.is_taken(name):
                return False
            await asyncio.to_thread(self._ledger.commit, LedgerEntry(inline_again=[name]))
            self.aside.end(name)
            return True

    async def _try(self, windows: Mapping[str, Sequence[Window]], entry: LedgerEntry) -> dict[str, Exception]:
        """Write and commit once, and return the failures by destination ('' is the ledger).

        If anything failed, all of it is undone.
        """
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
                self.aside.committed(entry.aside)
        except sqlite3.Error as error:
            self._in_doubt = True
            self._doubtful |= windows.keys()
            return {"": error}
        for name in windows.keys() - self._busy.keys():
            destination = self._inline[name]
            await (destination.undo() if failures else destination.committed())
        return failures

    async def _clear_doubt(self) -> None:
        """Undo the writes of a failed ledger commit. Raises sqlite3.Error while the ledger cannot renounce the commit.

        Until it has, a crash could bring the failed commit back, and then the files must hold what was written.
        """
        async with self._clearing:
            if self._in_doubt:
                await asyncio.to_thread(self._ledger.discard_failed_commit)
                for name in self._doubtful:
                    await self._inline[name].undo()
                self._doubtful.clear()
                self._in_doubt = False

    async def _write(self, name: str, windows: Sequence[Window]) -> list[FileState] | Retry:
        """Write to a destination, and return its file states or why to retry.

        A destination that does not return in time gets no further calls until it does.
        """
        if busy := self._busy.get(name):
            await asyncio.wait({busy}, timeout=self._set_aside_after)
        if name not in self._busy:
            writing = asyncio.create_task(self._inline[name].write(windows))
            await asyncio.wait({writing}, timeout=self._set_aside_after)
            if writing.done():
                return _answer(writing)
            self._keep_busy(name, self._undo_late(name, writing))
        return Retry(f"{name} does not answer")

    def _keep_busy(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a call to a destination in a task, and make no other calls to the destination meanwhile."""
        self._busy[name] = asyncio.create_task(work)
        self._busy[name].add_done_callback(lambda _: self._busy.pop(name))

    async def _undo_late(self, name: str, writing: asyncio.Task[list[FileState]]) -> None:
        await asyncio.wait({writing})
        await self._inline[name].undo()

    async def recover(self) -> None:
        """Make every destination agree with the ledger. Call this before the first commit."""
        for destination in self._inline.values():
            await destination.recover()

    async def tidy(self) -> None:
        """Start `tidy` of each destination in a task of its own. Does nothing within ten seconds of the last call.

        Returns without waiting for these tasks, so that commits to other destinations continue.
        """
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_SECONDS
        for name in self._inline.keys() - self._busy.keys() - self._doubtful:
            if name not in self.aside:
                self._keep_busy(name, self._tidy(name))
        try:
            await asyncio.to_thread(self._ledger.forget_seen, int(time.time()) - SEEN_SECONDS)
            await asyncio.to_thread(self._ledger.fold, time.time())
        except sqlite3.Error as error:
            events.TIDY_FAILED.happened(reason=error)

    async def _tidy(self, name: str) -> None:
        try:
            is_transitional = True
            while is_transitional and (files := await self._inline[name].tidy()):
                await asyncio.to_thread(self._ledger.commit, LedgerEntry(files=files))
                is_transitional = any(file.state in _TRANSITIONAL for file in files)
                self._tidy_at = 0.0  # because one call is bounded, and there may be more to do
        except (OSError, sqlite3.Error) as error:
            events.TIDY_FAILED.happened(reason=error)

    async def settled(self) -> None:
        """Wait until no call to a destination is running, without a timeout: one that is stuck can take any time."""
        while self._busy:
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Close every destination that is not stuck in a call."""
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=self._set_aside_after)
        for name in self._inline.keys() - self._busy.keys():
            await self._inline[name].close()


def _count(counts: Mapping[Counted, int]) -> None:
    routed, decided = Counter[str](), Counter[str]()
    for counted, records in counts.items():
        if counted.destination == DECIDED:
            routed[counted.service] += records
        else:
            decided[counted.destination] += records
    for metric, totals in ((metrics.ROUTED, routed), (metrics.DECIDED, decided)):
        for name, records in totals.items():
            metric.labels(name).inc(records)


def _answer(writing: asyncio.Task[list[FileState]]) -> list[FileState] | Retry:
    try:
        return writing.result()
    except Retry as error:
        return error
    except Exception as error:  # noqa: BLE001  # a destination that fails in any way must not stop the others
        return Retry(f"{type(error).__name__}: {error}")
