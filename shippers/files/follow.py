"""Follows all logs that the inputs lead to: what is read of each, in which order, and when a generation is closed.

A generation is held open, so its file may be renamed, linked or deleted meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import partial
from typing import TypeVar

from logrouter.observability.events import FILE_GONE
from logrouter.wire.statement import SourceStatement
from shippers.encode.lines import Window
from shippers.files.budget import Budget
from shippers.files.checkpoint import Checkpoint, Checkpoints, State
from shippers.files.content import Rewritten
from shippers.files.descriptors import Opened, close_all, open_all
from shippers.files.discovery import Discovery, Origin, Wanted, stamp_of
from shippers.files.fingerprint import shown
from shippers.files.generation import QUIET, TICK, Generation, Tally
from shippers.files.logs import SETTLING, Logs
from shippers.files.notices import Notices
from shippers.files.reader import Reader
from shippers.files.registry import Registry
from shippers.files.reread import RereadRequest
from shippers.files.schedule import Turns
from shippers.files.search import elsewhere
from shippers.files.standings import SourceStatements
from shippers.files.tree import Inode
from shippers.files.watches import Watches
from shippers.input import Input
from shippers.spool.spool import Segment

T = TypeVar("T")

SPOOLED = "spool"
"""The `glob` of a segment of a spool: every real glob has a slash."""

GRACE = 60.0
"""Seconds for which a renamed or deleted file is followed after it last grew, because its writer may still use it."""

LEFT = 5.0
"""Seconds after which a renamed file may be closed to make room for others."""


class Files:
    """The files of all inputs. `now` is always time.monotonic().

    tallies: line counts by input.   scan_due: when to discover again.   turns: the generations that are awake.
    followed: by glob, the live paths of the logs that it led to in earlier processes.
    unsaved: generations whose identity has to be saved before they are read.
    gone: the last statements of sources that are gone.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        checkpoints: Checkpoints,
        grace: float = GRACE,
        *,
        settling: float = SETTLING,
        watches: Watches | None = None,
        most_open: int = sys.maxsize,
    ) -> None:
        saved = checkpoints.state
        self._origins = {glob: Origin(settings, glob) for settings in reversed(inputs) for glob in settings.globs}
        self._grace = grace
        self._stalled = self._unsure = frozenset[str]()  # globs: open files are not touched; paths are not looked at
        self._registry = Registry(saved.files, [*saved.finished, *_empty(saved.empty, self._origins)])
        self.followed: dict[str, set[str]] = {}
        for each in self._registry:
            self.followed.setdefault(each.glob, set()).add(each.live)
        self.scan_due = 0.0
        self.unsaved: set[Generation] = set()
        self._missing: set[Checkpoint] = set()
        self.tallies = {settings: Tally() for settings in inputs}
        self.turns = Turns(watches or Watches())
        self.notices = Notices(self._origins)
        self.gone = SourceStatements(self._origins)
        self.budget = Budget(most_open)
        self._logs = Logs(
            self._origins,
            self.tallies,
            self._registry,
            self.turns,
            self.notices,
            looked_before=set(self._origins) if checkpoints.lost else set(saved.globs),
            settling=settling,
            empty=saved.empty if checkpoints.upgraded else None,
        )

    @property
    def revision(self) -> tuple[int, int]:
        """A value that changes whenever `state` would return something else."""
        return self._logs.chains.changes, sum(tally.lines_confirmed for tally in self.tallies.values())

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._logs.chains)

    def wanted(self, discovery: Discovery, now: float) -> list[Wanted]:
        """Return the files to open for `apply`, as many as may be open. Others that hold nothing new are closed."""
        self._stalled, self._unsure = discovery.late & discovery.remote, discovery.late | discovery.remote
        due = self.budget.due(self._logs.wanted(discovery, has_room=len(discovery.files) <= self.budget.most))
        self._close_for(len(self._logs.chains.by_inode) + len(due) - self.budget.most, now)
        room = max(0, self.budget.most - len(self._logs.chains.by_inode))
        self.budget.wait([each.inode for each in due], room, len(discovery.files))
        return due[:room]

    def apply(self, discovery: Discovery, now: float, opened: Opened | None = None) -> None:
        """Follow new files, note those that were renamed or are gone, and close those that are finished.

        opened: the files that `wanted` has returned, opened; by default they are opened here.
        """
        if opened is None:
            opened = open_all({each.inode: each.path for each in self.wanted(discovery, now)})
        tried = list(opened)
        self.scan_due = min(self.scan_due, self._logs.apply(discovery, opened, now))
        close_all(opened.values())  # those that are left were not needed
        for inode in tried:
            self.budget.tried(inode, is_open=inode in self._logs.chains.by_inode, now=now)
        self._look_elsewhere(discovery, now)
        self.look(now)
        self.notices.scanned(discovery)

    def look(self, now: float) -> None:
        """Find out which files have grown, and close those that are finished."""
        for generation in self:
            if generation.is_rewritten:
                if generation.ended and not generation.pending:
                    self._finish(generation)
            elif generation.origin.glob not in self._stalled:
                self.turns.watch(generation)
                self._attempt(generation, now, Generation.look)
                if not (generation.failing or generation.is_rewritten):
                    self._wake_or_finish(generation, now)

    def wake(self, inodes: Iterable[Inode]) -> None:
        """Give turns to the generations in these files, which have changed."""
        for inode in inodes:
            if generation := self._logs.chains.by_inode.get(inode):
                self.turns.wake(generation)

    def adopt(self, settings: Input, segment: Segment, now: float) -> Generation | None:
        """Follow a segment of a spool from its confirmed position. Return None if it cannot be opened yet."""
        path = str(segment.path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.notices.failed(path, error.strerror)
            return None
        reader = Reader(fd, path, settings, lambda: segment.synced, is_ours=True)
        generation = Generation(reader, path, Origin(settings, SPOOLED, segment), now, self.tallies[settings])
        saved = self._registry.of_source(segment.source)
        if saved is not None:
            generation.resume(self._registry.take(saved))
            segment.confirmed = saved.confirmed
        generation.source, generation.saved = segment.source, True
        self._logs.adopt(generation)
        return generation

    def release(self, generation: Generation) -> None:
        """Stop following a segment that is closed and confirmed to its end, so that it can be deleted."""
        self.gone.add(generation)
        self._registry.keep_end(generation.checkpoint)
        self._logs.chains.leave(generation)

    def forget_segments(self) -> None:
        """Drop the positions of segments that no longer exist. Call this when all existing ones have been adopted."""
        self._registry.forget(SPOOLED)

    def read(self, generation: Generation, now: float) -> Window | None:
        """Return the next window of a generation, or None if there is none now."""
        if generation.origin.glob in self._stalled:
            generation.rest(now + QUIET)
            return None
        if not (generation.has_begun or self._logs.may_begin(generation)):
            generation.rest(now + TICK)
            return None
        final = self._is_final(generation, now)
        window = self._attempt(generation, now, partial(Generation.read, final=final))
        if window is None and not generation.failing and generation.segment is None:
            # segments stay awake: there are few, and a look each tick makes their lines immediate
            if self._is_quiet(generation, now):
                self.turns.sleep(generation)
                if now - generation.grown_at < 2 * QUIET:  # a file that changes without growing may do so all the time
                    self.turns.watch(generation)
            elif generation.matched and generation.origin.glob not in self._unsure and not _is_at_path(generation):
                self.scan_due = now
        return window

    def saved(self, generations: Iterable[Generation]) -> None:
        """Note that the identities of these are saved, so that they can be read."""
        for generation in generations:
            generation.identity_saved()
            self.unsaved.discard(generation)

    def state(self) -> State:
        """Return the state to save."""
        files = [*(_saved(each) for each in self if each.segment is None or each.source), *self._registry.unfinished()]
        return State(files, sorted(self._logs.arrivals.looked_before), finished=self._registry.finished)

    def standings(self) -> list[SourceStatement]:
        """Return a statement of how far each source is, including sources that are gone and not forgotten yet."""
        return self.gone.all(self, self._registry)

    def open_at(self, inode: Inode) -> Generation | None:
        """Return the open generation that is read from a file, or None."""
        return self._logs.chains.by_inode.get(inode)

    def sought(self, source: str) -> RereadRequest | None:
        """Return what is needed to read a source once more, or None if the source is unknown."""
        for each in self:
            if each.source == source:
                is_ours = each.segment is not None
                paths = self._paths(each.checkpoint)
                return RereadRequest(each.checkpoint, each.origin.settings, paths, each.reader.fd, is_ours=is_ours)
        saved = self._registry.of_source(source)
        origin = self._origins.get(saved.glob) if saved else None
        return None if saved is None or origin is None else RereadRequest(saved, origin.settings, self._paths(saved))

    def close(self) -> None:
        """Close all files."""
        for generation in self:
            generation.reader.close()

    def _paths(self, saved: Checkpoint) -> tuple[str, ...]:
        """Return the paths where a generation may be, the last known one first."""
        return tuple(dict.fromkeys([saved.path, *(file.path for file in self._logs.files(saved.live))]))

    def _close_for(self, others: int, now: float) -> None:
        """Close files that hold nothing new, the quietest first, to make room for `others` more."""
        quietest = sorted(self, key=lambda each: each.grown_at) if others > 0 else ()
        closed = 0
        for generation in quietest:
            if closed < others and _can_be_closed(generation, now) and generation.origin.glob not in self._stalled:
                closed += self._close(generation, now)

    def _close(self, generation: Generation, now: float) -> bool:
        """Close a file until it grows. Return False, and keep it open, if it holds something new."""
        stamp = stamp_of(os.fstat(generation.reader.fd))
        if not generation.failing:
            self._attempt(generation, now, Generation.look)
            if generation.failing or not _can_be_closed(generation, now):
                return False
        self.budget.closed(generation.inode, now)
        self._registry.keep(generation.rested(stamp, done=not (generation.source and generation.matched)))
        self.unsaved.discard(generation)
        self._logs.chains.leave(generation)
        return True

    def _is_quiet(self, generation: Generation, now: float) -> bool:
        """Report whether there has been nothing to read for a while, and nothing is held or unconfirmed."""
        has_all = generation.reader.exhausted and not (generation.reader.waits or generation.pending)
        return has_all and now - generation.grown_at >= QUIET

    def _is_final(self, generation: Generation, now: float) -> bool:
        """Report whether nothing more is expected: the segment is closed, or the grace period is over."""
        if generation.segment is not None:
            return generation.segment.closed
        left_at = generation.left_at
        return left_at is not None and now - max(left_at, generation.grown_at) > self._grace

    def _attempt(self, generation: Generation, now: float, action: Callable[[Generation, float], T]) -> T | None:
        """Return what `action` returns, or None if the file was rewritten or fails."""
        try:
            result = action(generation, now)
        except Rewritten:
            self.unsaved.discard(generation)
            self._logs.begin_anew(generation, now)
            self.scan_due = now
            return None
        except Exception as error:  # noqa: BLE001  # a failure of one file must not stop the others
            generation.failed(now + QUIET)
            reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self.notices.failed(generation.path, reason)
            return None
        if generation.source and not generation.saved:
            self.unsaved.add(generation)
        return result

    def _wake_or_finish(self, generation: Generation, now: float) -> None:
        is_final, reader = self._is_final(generation, now), generation.reader
        if not reader.exhausted or (is_final and reader.size > reader.position):
            self.turns.wake(generation)
        elif is_final and not generation.matched and generation.settled:
            self._finish(generation)

    def _finish(self, generation: Generation) -> None:
        """Close a generation that is done. Keep its checkpoint if its content still exists, else only its place."""
        is_there = not generation.reader.unlinked or self._logs.is_copied(generation)
        if generation.source:
            if is_there and not generation.ended:
                self._registry.keep(_rested(generation, done=True))
            else:
                self._registry.keep_end(generation.checkpoint)
        self.gone.add(generation)
        self._logs.chains.leave(generation)

    def _look_elsewhere(self, discovery: Discovery, now: float) -> None:
        """Search for files that are no longer beside their logs, such as in a renamed directory, or report them gone.

        A file that is renamed while its directory is listed may be missing from the listing. So it counts as gone only
        if the next listing lacks it too.
        """
        before, self._missing = self._missing, set()
        for saved in self._logs.missing(discovery):
            found = elsewhere(saved)
            if found is not None:
                self._logs.resume_elsewhere(saved, *found, now)
            elif saved in before:
                FILE_GONE.happened(path=shown(saved.path), position=saved.confirmed)
                self._registry.give_up(saved)
            else:
                self._missing.add(saved)
                self.scan_due = now


def _can_be_closed(generation: Generation, now: float) -> bool:
    """Report whether a file can be closed, and reopened later at the same position.

    A renamed file must not have grown for LEFT seconds, because its writer may still use it.
    """
    is_at_rest = generation.failing or (generation.reader.exhausted and not generation.reader.waits)
    is_known = (generation.saved or not generation.source) and not generation.pending
    is_left = generation.left_at is None or now - max(generation.left_at, generation.grown_at) >= LEFT
    return is_at_rest and is_known and is_left and generation.segment is None and not generation.is_rewritten


def _rested(generation: Generation, *, done: bool) -> Checkpoint:
    """Return the checkpoint of a generation, with the size and time of its file as they are now."""
    return generation.rested(stamp_of(os.fstat(generation.reader.fd)), done=done)


def _saved(generation: Generation) -> Checkpoint:
    """Return the checkpoint to save.

    A deleted file that was read to its end is saved as done: it is not missed, and is recognised if a copy is found. An
    empty file is saved to show which log it was the live file of. Its size is saved as 0, because what it has received
    since the last look is not known.
    """
    if not generation.source:
        return generation.rested((0, os.fstat(generation.reader.fd).st_mtime_ns), done=True)
    is_done = generation.reader.unlinked and generation.settled
    return _rested(generation, done=True) if is_done else generation.checkpoint


def _empty(files: Mapping[str, int], globs: Iterable[str]) -> Iterator[Checkpoint]:
    """Yield checkpoints for files without content, which an older version saved as the inode of each path."""
    for path, inode in files.items():
        glob = next((each for each in globs if fnmatch(path, each)), None)
        if glob is not None:
            yield Checkpoint("", path, 0, inode, 0, 0, glob=glob, done=True, size=0)


def _is_at_path(generation: Generation) -> bool:
    """Report whether the path still names the file."""
    try:
        status = os.stat(generation.path)  # noqa: PTH116  # a plain string, forty times a second
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == generation.inode
