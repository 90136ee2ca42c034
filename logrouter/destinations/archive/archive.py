"""The archive destination: appends windows to files that are committed together with the ledger.

`write` sorts the windows by path and appends to all touched files at once, in threads, so that their syncs run in
parallel. `committed` follows the ledger's transaction. Before it nothing is certain, and `undo` returns every touched
file to its last commit. `tidy` finishes files whose day is over and removes those that have expired.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar

from logrouter.destinations.archive.codec import DamagedArchive
from logrouter.destinations.archive.directory import Directory
from logrouter.destinations.archive.path_template import final_name, open_name
from logrouter.destinations.archive.placement import Placed, Placement
from logrouter.destinations.archive.rotation import is_due, make_final
from logrouter.destinations.archive.segment import ArchiveSegment, SyncFailed, repair
from logrouter.destinations.contract import Window
from logrouter.errors import Retry
from logrouter.ledger.ledger import FileState, Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.support.failpoint import reach

T = TypeVar("T")

_MAX_OPEN = 256
"""The most files that are kept open. A file that was closed begins a new member when it is written again."""

_GRACE = 600.0
"""Seconds without a write after which a file of a past day is finished, because late lines come in bursts."""

_TURN_SECONDS = 1.0
"""Seconds after which one `tidy` call finishes no further file, because a write waits for the call to return."""

_EXPIRING_AT_ONCE = 100
"""The most files that one `tidy` call expires. The removal of each takes a sync of its directory."""

_FREE_SHARE = 0.1
"""The archive warns when less than this share of the disk is free."""


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """An archive as configured.

    zone: the time zone whose days count.
    rotate_size: uncompressed bytes at which a file is finished.
    keep_days: days after which a file is removed, None for never.
    """

    directory: Path
    template: str = "{service}/{host}/{date}.jsonl.gz"
    text: bool = False
    zone: tzinfo = field(default=UTC)
    rotate_size: int = 1 << 30
    keep_days: int | None = None


class Archive:
    """The inline destination that writes files. Raises OSError if its directory cannot be created."""

    def __init__(self, name: str, settings: ArchiveSettings, ledger: Ledger) -> None:
        self.name = name
        self.settings = settings
        self._ledger = ledger
        self._filing = Placement(settings.template, settings.text, settings.zone)
        self._directory = Directory(settings.directory)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix=f"archive-{name}")
        self._open: dict[str, FileState] = {}
        self._begun: dict[str, FileState] = {}
        self._segments: OrderedDict[str, ArchiveSegment] = OrderedDict()
        self._touched: dict[str, ArchiveSegment] = {}
        self._ending: list[FileState] = []
        self._damaged: list[FileState] = []
        self._written_at: dict[str, float] = {}
        self._nearly_full = Condition(events.DISK_NEARLY_FULL, events.DISK_ROOMY)

    async def recover(self) -> None:
        """Truncate open files to their committed length, and keep what was behind it in `.torn` files.

        Only the last segment of a path is written again. An earlier one may be open because finishing it failed, or
        new because its first write did.
        """
        for state in self._ledger.files(self.name, "new"):
            if self._is_last(state):
                self._begun[state.path] = replace(state, state="open")
            try:
                if await self._in_pool(_put_aside, self._directory, open_name(state.path, state.segment)):
                    events.ARCHIVE_TORN.happened(path=open_name(state.path, state.segment))
            except OSError as error:
                events.ARCHIVE_UNMENDED.happened(path=open_name(state.path, state.segment), reason=error)
        for state in self._ledger.files(self.name, "open"):
            name = open_name(state.path, state.segment)
            try:
                if await self._in_pool(repair, self._directory, state, f"{name}.torn-{time.time_ns()}"):
                    events.ARCHIVE_TORN.happened(path=name)
            except (FileNotFoundError, EOFError) as error:
                self._lose(state, error)
                continue
            except OSError as error:
                events.ARCHIVE_UNMENDED.happened(path=name, reason=error)
            if self._is_last(state):
                self._open[state.path] = state
            else:
                self._ending.append(state)

    def _is_last(self, state: FileState) -> bool:
        return state.segment == self._ledger.last_segment(self.name, state.path)

    def _lose(self, state: FileState, error: BaseException) -> None:
        """Give up an open file that is not as committed, and report it. The next write begins a new segment."""
        events.ARCHIVE_DAMAGED.happened(path=open_name(state.path, state.segment), reason=error)
        self._damaged.append(replace(state, state="damaged"))

    async def write(self, windows: Sequence[Window]) -> list[FileState]:
        """Append windows durably. Raises Retry if the disk is full or fails; nothing of the call then remains."""
        filed = self._filing.file(windows)
        try:
            await self._begin(filed)
        except (OSError, sqlite3.Error) as error:
            raise Retry(f"archive {self.name}: {error}") from error
        states = {path: self._open.get(path) or self._begun[path] for path in filed}
        results = await asyncio.gather(
            *(self._in_pool(self._append, states[path], target) for path, target in filed.items()),
            return_exceptions=True,
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.undo()
            for path, result in zip(filed, results, strict=True):
                if path in self._open and isinstance(result, SyncFailed):
                    self._ending.append(self._open.pop(path))
                elif path in self._open and isinstance(result, FileNotFoundError | EOFError):
                    self._lose(self._open.pop(path), result)
            raise Retry(f"archive {self.name}: {failures[0]}") from failures[0]
        return [segment.written for segment in self._touched.values()]

    def refusal(self, window: Window) -> Exception | None:
        """Return the error that sorting the window by path causes, or None."""
        try:
            self._filing.file([window])
        except Exception as error:  # noqa: BLE001  # anybody can publish, so names and times can fail in any way
            return error
        return None

    async def _begin(self, filed: Mapping[str, Placed]) -> None:
        """Commit new files to the ledger before they exist, so that what a crash leaves of them counts as nothing."""
        days = {
            path: target.day for path, target in filed.items() if path not in self._open and path not in self._begun
        }
        if days:
            new = await self._in_pool(self._new_states, days)
            noted = [replace(state, state="new") for state in new.values()]
            await asyncio.to_thread(self._ledger.commit, LedgerEntry(files=noted))
            self._begun |= new

    def _new_states(self, days: Mapping[str, str]) -> dict[str, FileState]:
        return {path: self._new_state(path, day) for path, day in days.items()}

    def _new_state(self, path: str, day: str) -> FileState:
        segment = self._ledger.last_segment(self.name, path) + 1
        while any(map(self._directory.exists, (final_name(path, segment), open_name(path, segment)))):
            segment += 1
        return FileState(self.name, path, segment, day=day)

    def _append(self, state: FileState, target: Placed) -> None:
        segment = self._segments.get(state.path)
        if segment is None:
            name = open_name(state.path, state.segment)
            if state.commits:
                repair(self._directory, state)
            else:
                _put_aside(self._directory, name)
            segment = self._segments[state.path] = ArchiveSegment(self._directory, state)
            reach("archive.opened")
        self._touched[state.path] = segment
        segment.write(target.chunks, target.records)

    async def committed(self) -> None:
        now = time.monotonic()
        for path, segment in self._touched.items():
            reach("archive.committed")
            segment.commit()
            self._open[path] = segment.committed
            self._begun.pop(path, None)
            self._segments.move_to_end(path)
            self._written_at[path] = now
        self._touched.clear()
        while len(self._segments) > _MAX_OPEN:
            self._segments.popitem(last=False)[1].close()

    async def undo(self) -> None:
        """Close the files of the last write, and remove the new ones.

        The others are truncated to their last commit when they are opened again.
        """
        for path, segment in self._touched.items():
            self._segments.pop(path, None)
            try:
                await self._in_pool(segment.abandon)
            except OSError as error:
                name = open_name(path, segment.committed.segment)
                events.ARCHIVE_UNMENDED.happened(path=name, reason=error)
        self._touched.clear()

    async def tidy(self) -> list[FileState]:
        """Move files to their next state: open, finishing, finished, expiring, removed. Each step takes a commit.

        Each call does a limited amount of work. Files that are finishing or expiring move on in the next call.
        """
        await self._in_pool(self._watch_disk)
        today = datetime.now(self.settings.zone).date()
        moved, self._damaged = self._damaged, []
        return moved + (await self._complete() or [*await self._finish_due(today), *await self._expire(today)])

    async def _complete(self) -> list[FileState]:
        """Remove the open names of finishing files, and the expiring files."""
        moved = []
        for state in await self._in_pool(self._ledger.files, self.name, "finishing", "expiring"):
            if state.state == "finishing":
                name, after = open_name(state.path, state.segment), "finished"
            else:
                name, after = final_name(state.path, state.segment), "removed"
            moved += await self._remove(name, replace(state, state=after))
        return moved

    async def _finish_due(self, today: date) -> list[FileState]:
        moved, began = list[FileState](), time.monotonic()
        ending, self._ending = self._ending, []
        due = self._due(today.isoformat())
        while ending or due:
            moved += await self._finish(ending.pop(0) if ending else self._end(due.pop()))
            if time.monotonic() - began > _TURN_SECONDS:
                break
        self._ending += ending
        return moved

    def _end(self, path: str) -> FileState:
        """Close the file of a path for good, and return its state."""
        self._written_at.pop(path, None)
        if segment := self._segments.pop(path, None):
            segment.close()
        return self._open.pop(path)

    async def _expire(self, today: date) -> list[FileState]:
        """Return the next files that have expired, as expiring. Files without a day in their path never expire."""
        if not self.settings.keep_days:
            return []
        first_kept = (today - timedelta(days=self.settings.keep_days)).isoformat()
        expired = await self._in_pool(self._ledger.finished_before, self.name, first_kept, _EXPIRING_AT_ONCE)
        return [replace(state, state="expiring") for state in expired]

    def _watch_disk(self) -> None:
        total, _, free = shutil.disk_usage(self.settings.directory)
        details = {"directory": str(self.settings.directory), "free": f"{free / total:.0%}"}
        if free < _FREE_SHARE * total:
            self._nearly_full.begin(**details)
        else:
            self._nearly_full.end(**details)

    def _due(self, today: str) -> list[str]:
        rested = time.monotonic() - _GRACE
        return [
            path
            for path, state in self._open.items()
            if is_due(state, today, self.settings.rotate_size)
            and (state.size >= self.settings.rotate_size or self._written_at.get(path, rested) <= rested)
        ]

    async def _finish(self, state: FileState) -> list[FileState]:
        """Give a file its final name, and return its new state; nothing if the disk fails, and `tidy` tries again."""
        try:
            return [await self._in_pool(make_final, self._directory, state)]
        except (FileNotFoundError, EOFError, DamagedArchive) as error:
            events.ARCHIVE_DAMAGED.happened(path=open_name(state.path, state.segment), reason=error)
            return [replace(state, state="damaged")]
        except OSError as error:
            events.TIDY_FAILED.happened(reason=error)
            self._ending.append(state)
            return []

    async def _remove(self, name: str, removed: FileState) -> list[FileState]:
        """Remove the file `name` and return `removed`; nothing if the disk fails."""
        try:
            await self._in_pool(self._directory.remove, name)
        except OSError as error:
            events.TIDY_FAILED.happened(reason=error)
            return []
        return [removed]

    async def close(self) -> None:
        """Close every file and the threads. Each file is complete as it is."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._pool.shutdown()
        self._directory.close()

    async def _in_pool(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)


def _put_aside(directory: Directory, name: str) -> bool:
    """Rename a file of which nothing was committed to a `.torn` name. Report whether there was one."""
    if not directory.exists(name):
        return False
    directory.rename(name, f"{name}.torn-{time.time_ns()}")
    return True
