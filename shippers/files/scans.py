"""Looks into every base directory, each in a thread, so that a directory that hangs delays only its own files.

A scan has what each directory last answered, and says which directories have not answered in time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from logrouter.observability.conditions import Condition
from logrouter.observability.events import INPUT_ANSWERS, INPUT_HANGS
from shippers.files.descriptors import Opened, close_all, open_all
from shippers.files.discovery import (
    BaseListing,
    Directories,
    Discovery,
    Origin,
    Wanted,
    by_base,
    joined,
    look,
    origins_of,
)
from shippers.files.fingerprint import shown
from shippers.files.threads import DaemonThreads
from shippers.files.tree import Inode
from shippers.files.watches import Watched, Watches
from shippers.input import Input

_PATIENCE = 1.0
"""Seconds for which a scan waits for answers. What answers later is used by a later scan."""

_HANGS = 5.0
"""Seconds after which a directory that does not answer is reported."""

_MAX_LOOKS = 8
"""Looks at a time, not counting those that are late."""

_Answer = tuple[BaseListing, Watched]


@dataclass(slots=True)
class _Base:
    """A directory in which globs begin.

    coming: the look in progress, which began at `since` (time.monotonic()).   seen, watched: the last answer.
    """

    origins: Sequence[Origin]
    coming: asyncio.Task[_Answer] | None = None
    since: float = 0.0
    seen: BaseListing | None = None
    watched: Watched | None = None
    directories: Directories = field(default_factory=Directories)
    hangs: Condition = field(default_factory=lambda: Condition(INPUT_HANGS, INPUT_ANSWERS))


class Scans:
    """The scans for the files of `inputs`, outside `excluded` directories."""

    def __init__(self, inputs: Sequence[Input], excluded: Sequence[str]) -> None:
        self._origins = origins_of(inputs)
        self._excluded = excluded
        self._bases = {base: _Base(origins) for base, origins in by_base(self._origins).items()}
        self._threads = DaemonThreads()
        self._permits = asyncio.Semaphore(_MAX_LOOKS)

    @property
    def is_late(self) -> bool:
        """Whether a directory has not answered yet, and is not reported as hanging."""
        return any(base.coming is not None and not base.hangs.holds for base in self._bases.values())

    @property
    def hanging(self) -> list[str]:
        """The globs whose directories do not answer."""
        return [origin.glob for base in self._bases.values() if base.hangs.holds for origin in base.origins]

    async def scan(self, watches: Watches, followed: Mapping[str, Collection[str]]) -> tuple[Discovery, bool]:
        """Return what exists, and whether the kernel will report every change to it from now on.

        followed: by glob, the live paths of the logs that it has led to before.
        """
        began = time.monotonic()
        for base in self._bases.values():
            if base.coming is None:
                base.coming, base.since = asyncio.create_task(self._look(base, watches, followed)), began
        begun = [base.coming for base in self._bases.values() if base.coming is not None and base.since == began]
        if begun:  # looks that were late at the previous scan are not waited for again
            await asyncio.wait(begun, timeout=_PATIENCE)
        late = {path for path, base in self._bases.items() if not _take(path, base, began)}
        watched = {path: base.watched for path, base in self._bases.items() if base.watched is not None}
        watches.keep(watched.values())
        looks = {path: base.seen for path, base in self._bases.items() if base.seen is not None}
        remote = {path for path, each in watched.items() if each.is_remote}
        is_told = not late and all(each.is_told for each in watched.values())
        return joined(self._origins, looks, late, remote), is_told

    async def open(self, wanted: Iterable[Wanted]) -> Opened:
        """Open files, those below each base directory in a thread. Files of a directory that is late are left out."""
        paths: dict[str, dict[Inode, str]] = {}
        for each in wanted:
            paths.setdefault(each.origin.base, {})[each.inode] = each.path
        opened = await asyncio.gather(*(self._open(self._bases[base], each) for base, each in paths.items()))
        return {inode: fd for each in opened for inode, fd in each.items()}

    async def close(self) -> None:
        """Stop waiting for answers."""
        coming = [base.coming for base in self._bases.values() if base.coming is not None]
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
        self._threads.close()

    async def _look(self, base: _Base, watches: Watches, followed: Mapping[str, Collection[str]]) -> _Answer:
        def call() -> _Answer:
            found = look(base.origins, self._excluded, base.directories, {} if base.seen else followed)
            return found, watches.watch_directories(found.wanted)

        async with self._permits:
            answer = self._threads.run(call)
            await asyncio.wait({answer}, timeout=_PATIENCE)
        return await answer

    async def _open(self, base: _Base, paths: Mapping[Inode, str]) -> Opened:
        answer = self._threads.run(lambda: open_all(paths))
        await asyncio.wait({answer}, timeout=_PATIENCE)
        if answer.done():
            return answer.result()
        base.coming, base.since = asyncio.create_task(self._close_late(base, answer)), time.monotonic()
        return {}

    async def _close_late(self, base: _Base, answer: asyncio.Future[Opened]) -> _Answer:
        """Close files that were opened too late. Return the base's previous answer, which stands until then."""
        close_all((await answer).values())
        assert base.seen is not None  # that look led to these files
        assert base.watched is not None
        return base.seen, base.watched


def _take(path: str, base: _Base, began: float) -> bool:
    """Use what a directory has answered. Return False if it has not answered."""
    if base.coming is None or not base.coming.done():
        waits = time.monotonic() - base.since
        if waits >= _HANGS:
            base.hangs.begin(path=shown(path), seconds=round(waits))
        return False
    base.seen, base.watched = base.coming.result()
    base.coming = None
    if base.since >= began:  # otherwise it was slow, and may be slow again
        base.hangs.end(path=shown(path))
    return True
