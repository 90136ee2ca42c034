"""Makes bytes that cannot be read twice durable before anything of them is published.

A spool consists of segments, files that only grow, each with the length up to which it is synced. Content that is put
during a sync is written and synced together afterwards. The name of a segment holds its source, so its identity is as
durable as its content. A segment is followed like any file, and deleted when it is closed and confirmed to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from logrouter.observability.conditions import Condition
from logrouter.observability.events import SPOOL_FAILING, SPOOL_LOST, SPOOL_RESUMED
from logrouter.support.backoff import Backoff
from logrouter.support.failpoint import reach
from logrouter.support.filesystem import sync_directory

SEGMENT = 64 << 20
"""Bytes at which a segment is closed. Only whole segments are deleted."""

BACKLOG = 8 << 20
"""Bytes that are put and not yet synced. Above that, callers of `put` have to wait."""

_BACKOFF = Backoff(0.1, 10.0)
"""Seconds between two attempts to write after the disk has failed."""

_STOP_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class Segment:
    """One file of a spool, and one source.

    synced: bytes that are durable.   confirmed: bytes that the broker has confirmed.   closed: nothing more is added.
    """

    path: Path
    source: str
    synced: int = 0
    confirmed: int = 0
    closed: bool = False


class Spool:
    """The spool in `directory`, with its segments, oldest first. `put` and `close` need a running event loop.

    size: bytes at which a segment is closed. Segments of earlier processes are included, closed. Raises OSError.
    """

    def __init__(self, directory: Path, size: int = SEGMENT) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self.segments = [_closed_segment(path) for path in sorted(directory.glob("[0-9]*-*.spool"))]
        self._size = size
        self._number = max((int(segment.path.name.split("-")[0]) for segment in self.segments), default=0)
        self._current: Segment | None = None
        self._fd = -1
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._failing = Condition(SPOOL_FAILING, SPOOL_RESUMED)

    @property
    def is_full(self) -> bool:
        """Whether so much is not yet synced that callers should await it before they put more."""
        return self._waiting_bytes > BACKLOG

    @property
    def behind(self) -> int:
        """Bytes that are synced and not confirmed."""
        return sum(segment.synced - segment.confirmed for segment in self.segments)

    @property
    def waiting(self) -> int:
        """Bytes that were put and are not confirmed, synced or not."""
        return self.behind + self._waiting_bytes

    def put(self, content: bytes) -> asyncio.Future[None]:
        """Append content. The future is done when the content is synced, however long the disk fails before."""
        promise = asyncio.get_running_loop().create_future()
        self._waiting.append((content, promise))
        self._waiting_bytes += len(content)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return promise

    def end(self) -> None:
        """Close the current segment. What was put is complete, so a last line without newline counts as a line."""
        if self._current is not None:
            self._current.closed = True
            self._current = None
            os.close(self._fd)

    async def close(self) -> None:
        """Write what waits, for 5 seconds at most, and close the files. Log what could not be written."""
        if (writing := self._writing) is not None:
            await asyncio.wait({writing}, timeout=_STOP_SECONDS)
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
        if self._waiting_bytes:
            SPOOL_LOST.happened(path=self.directory, count=self._waiting_bytes)
        self.end()

    def delete_confirmed(self) -> None:
        """Delete the oldest segments, up to the first one that is open or not confirmed to its end."""
        while self.segments and self.segments[0].closed and self.segments[0].confirmed >= self.segments[0].synced:
            reach("spool.delete.before")
            self.segments.pop(0).path.unlink(missing_ok=True)
            reach("spool.delete.after")

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                content = b"".join(content for content, _ in batch)
                await self._append(content)
                self._waiting_bytes -= len(content)
                for _, promise in batch:
                    if not promise.done():
                        promise.set_result(None)
        finally:
            self._writing = None

    async def _append(self, content: bytes) -> None:
        """Make content durable. A segment that becomes large enough is closed after the last newline of the content."""
        held = self._current.synced if self._current else 0
        newline = content.rfind(b"\n") + 1 if held + len(content) >= self._size else 0
        if newline:
            await self._write_until_synced(content[:newline])
            self.end()
        if newline < len(content):
            await self._write_until_synced(content[newline:])

    async def _write_until_synced(self, content: bytes) -> None:
        failures = 0
        while not await self._try(content):
            failures += 1
            await asyncio.sleep(_BACKOFF.pause(failures))

    async def _try(self, content: bytes) -> bool:
        try:
            if self._current is None:
                self._current = await asyncio.to_thread(self._begin)
                self.segments.append(self._current)
            await asyncio.to_thread(_append_synced, self._fd, content)
        except OSError as error:
            self._failing.begin(path=self.directory, reason=error)
            self._give_up_segment()
            return False
        self._current.synced += len(content)
        self._failing.end(path=self.directory)
        return True

    def _give_up_segment(self) -> None:
        """Cut the segment to what is synced and close it.

        After a failed sync, the next sync of the same descriptor may succeed though bytes never reached the disk.
        """
        if self._current is not None:
            with contextlib.suppress(OSError):  # the whole disk fails; nothing is read beyond `synced`
                os.ftruncate(self._fd, self._current.synced)
            self.end()

    def _begin(self) -> Segment:
        self._number += 1
        source = token_hex(8)
        path = self.directory / f"{self._number:010}-{source}.spool"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            reach("spool.named.before")
            sync_directory(self.directory)
        except OSError:
            os.close(self._fd)
            raise
        return Segment(path, source)


def _append_synced(fd: int, content: bytes) -> None:
    reach("spool.write.before")
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    reach("spool.sync.before")
    os.fdatasync(fd)
    reach("spool.sync.after")


def _closed_segment(path: Path) -> Segment:
    """Return the segment of an earlier process. Sync it first, because that process may not have done so."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        length = os.fstat(fd).st_size
    finally:
        os.close(fd)
    return Segment(path, path.stem.split("-")[1], synced=length, closed=True)
