"""All logs that the inputs lead to: what is read of each, in which order, and when a generation is let go.

A generation is held open, so its file may be renamed, linked and deleted meanwhile.
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
from shippers.files.reread import Sought
from shippers.files.schedule import Turns
from shippers.files.search import elsewhere
from shippers.files.standings import Standings
from shippers.files.tree import Inode
from shippers.files.watches import Watches
from shippers.input import Input
from shippers.spool.spool import Segment

T = TypeVar("T")

SPOOLED = "spool"
"""In place of the glob, of a segment of a spool: no glob is without a slash."""

GRACE = 60.0
"""Seconds for which a file that was renamed or deleted is still followed after it last grew: its writer may keep it."""

LEFT = 5.0
"""Seconds after which one that was renamed may be closed to make room for others."""


class Files:
    """The files of all inputs. `now` is always time.monotonic().

    tallies: lines, by input.   scan_due: when to discover again.   turns: the generations that are awake.
    followed: live paths of the logs that each glob had led to before.
    unsaved: those whose identity has to be saved before they are read.   gone: the last word on sources that are gone.
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
        self._stalled = self._unsure = frozenset[str]()  # globs: open files there, and paths there, are left alone
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
        self.gone = Standings(self._origins)
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
        """Differs from an earlier one where `state` does."""
        return self._logs.chains.changes, sum(tally.lines_confirmed for tally in self.tallies.values())

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._logs.chains)

    def wanted(self, discovery: Discovery, now: float) -> list[Wanted]:
        """What is to be opened for `apply`: as much as may be, for which others that hold nothing new are closed."""
        self._stalled, self._unsure = discovery.late & discovery.remote, discovery.late | discovery.remote
        due = self.budget.due(self._logs.wanted(discovery, is_roomy=len(discovery.files) <= self.budget.most))
        self._close_for(len(self._logs.chains.by_inode) + len(due) - self.budget.most, now)
        room = max(0, self.budget.most - len(self._logs.chains.by_inode))
        self.budget.wait([each.inode for each in due], room, len(discovery.files))
        return due[:room]

    def apply(self, discovery: Discovery, now: float, opened: Opened | None = None) -> None:
        """Take in what is new, notice what was renamed or is gone, and let go of what is done with.

        opened: of what is `wanted`; by default it is opened here.
        """
        if opened is None:
            opened = open_all({each.inode: each.path for each in self.wanted(discovery, now)})
        tried = list(opened)
        self.scan_due = min(self.scan_due, self._logs.apply(discovery, opened, now))
        close_all(opened.values())  # what nobody has taken
        for inode in tried:
            self.budget.tried(inode, is_open=inode in self._logs.chains.by_inode, now=now)
        self._look_elsewhere(discovery, now)
        self.look(now)
        self.notices.scanned(discovery)

    def look(self, now: float) -> None:
        """See which files have grown, and let go of what is done with."""
        for generation in self:
            if generation.is_rewritten:
                if generation.ended and not generation.pending:
                    self._let_go(generation)
            elif generation.origin.glob not in self._stalled:
                self.turns.watch(generation)
                self._attempt(generation, now, Generation.look)
                if not (generation.failing or generation.is_rewritten):
                    self._wake_or_let_go(generation, now)

    def wake(self, inodes: Iterable[Inode]) -> None:
        """These have changed."""
        for inode in inodes:
            if generation := self._logs.chains.by_inode.get(inode):
                self.turns.wake(generation)

    def adopt(self, settings: Input, segment: Segment, now: float) -> Generation | None:
        """Follow a segment of a spool from where it is confirmed; None where it cannot be opened yet."""
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
        """A segment is closed and confirmed to its end: it is followed no longer, and can be deleted."""
        self.gone.add(generation)
        self._registry.keep_end(generation.checkpoint)
        self._logs.chains.leave(generation)

    def forget_segments(self) -> None:
        """All segments that there are have been adopted: positions of others are of none."""
        self._registry.forget(SPOOLED)

    def read(self, generation: Generation, now: float) -> Window | None:
        """The next window of a generation, if there is one now."""
        if generation.origin.glob in self._stalled:
            generation.rest(now + QUIET)
            return None
        if not (generation.has_begun or self._logs.may_begin(generation)):
            generation.rest(now + TICK)
            return None
        final = self._is_final(generation, now)
        window = self._attempt(generation, now, partial(Generation.read, final=final))
        if window is None and not generation.failing and generation.segment is None:
            # of segments there are few, and a look each tick is what makes them immediate
            if self._is_quiet(generation, now):
                self.turns.sleep(generation)
                if now - generation.grown_at < 2 * QUIET:  # else it changes without growing, and may do so all the time
                    self.turns.watch(generation)
            elif generation.matched and generation.origin.glob not in self._unsure and not _leads_to(generation):
                self.scan_due = now
        return window

    def saved(self, generations: Iterable[Generation]) -> None:
        """The identities of these are safe, so that they can be read."""
        for generation in generations:
            generation.identity_saved()
            self.unsaved.discard(generation)

    def state(self) -> State:
        """What is to be saved."""
        files = [*(_saved(each) for each in self if each.segment is None or each.source), *self._registry.unfinished()]
        return State(files, sorted(self._logs.arrivals.looked_before), finished=self._registry.finished)

    def standings(self) -> list[SourceStatement]:
        """How far each source is, also of those that are gone and not yet forgotten."""
        return self.gone.all(self, self._registry)

    def open_at(self, inode: Inode) -> Generation | None:
        """Which generation is read from a file, if it is open."""
        return self._logs.chains.by_inode.get(inode)

    def sought(self, source: str) -> Sought | None:
        """A source that is to be read once more; None for one that is not known."""
        for each in self:
            if each.source == source:
                is_ours = each.segment is not None
                paths = self._paths(each.checkpoint)
                return Sought(each.checkpoint, each.origin.settings, paths, each.reader.fd, is_ours=is_ours)
        saved = self._registry.of_source(source)
        origin = self._origins.get(saved.glob) if saved else None
        return None if saved is None or origin is None else Sought(saved, origin.settings, self._paths(saved))

    def close(self) -> None:
        """Let go of all."""
        for generation in self:
            generation.reader.close()

    def _paths(self, saved: Checkpoint) -> tuple[str, ...]:
        """Where a generation may stand: first where it was seen last."""
        return tuple(dict.fromkeys([saved.path, *(file.path for file in self._logs.files(saved.live))]))

    def _close_for(self, others: int, now: float) -> None:
        """Close files that hold nothing new, the quietest first, for so many others."""
        quietest = sorted(self, key=lambda each: each.grown_at) if others > 0 else ()
        closed = 0
        for generation in quietest:
            if closed < others and _can_be_closed(generation, now) and generation.origin.glob not in self._stalled:
                closed += self._close(generation, now)

    def _close(self, generation: Generation, now: float) -> bool:
        """Close a file until it holds more, if it still holds nothing new."""
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
        """Whether there is nothing to be read for a while, nor anything under way that may have to be read again."""
        has_all = generation.reader.exhausted and not (generation.reader.waits or generation.pending)
        return has_all and now - generation.grown_at >= QUIET

    def _is_final(self, generation: Generation, now: float) -> bool:
        """Whether its writer has had its time after the file was renamed or deleted, or has closed it."""
        if generation.segment is not None:
            return generation.segment.closed
        left_at = generation.left_at
        return left_at is not None and now - max(left_at, generation.grown_at) > self._grace

    def _attempt(self, generation: Generation, now: float, action: Callable[[Generation, float], T]) -> T | None:
        """What `action` returns, or None for a file that was rewritten or fails."""
        try:
            result = action(generation, now)
        except Rewritten:
            self.unsaved.discard(generation)
            self._logs.begin_anew(generation, now)
            self.scan_due = now
            return None
        except Exception as error:  # noqa: BLE001  # whatever one file comes to, the others are read
            generation.failed(now + QUIET)
            reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self.notices.failed(generation.path, reason)
            return None
        if generation.source and not generation.saved:
            self.unsaved.add(generation)
        return result

    def _wake_or_let_go(self, generation: Generation, now: float) -> None:
        is_final, reader = self._is_final(generation, now), generation.reader
        if not reader.exhausted or (is_final and reader.size > reader.position):
            self.turns.wake(generation)
        elif is_final and not generation.matched and generation.settled:
            self._let_go(generation)

    def _let_go(self, generation: Generation) -> None:
        """It is done with; what became of it is kept in mind where its file is."""
        is_there = not generation.reader.unlinked or self._logs.is_copied(generation)
        if generation.source:
            if is_there and not generation.ended:
                self._registry.keep(_rested(generation, done=True))
            else:
                self._registry.keep_end(generation.checkpoint)
        self.gone.add(generation)
        self._logs.chains.leave(generation)

    def _look_elsewhere(self, discovery: Discovery, now: float) -> None:
        """Find files that stand apart from their logs, as where a directory was renamed; or say that they are gone.

        A file that is renamed while its directory is listed may be missing in that list: it is gone if the next one
        lacks it too.
        """
        before, self._missing = self._missing, set()
        for saved in self._logs.missing(discovery):
            found = elsewhere(saved)
            if found is not None:
                self._logs.go_on(saved, *found, now)
            elif saved in before:
                FILE_GONE.happened(path=shown(saved.path), position=saved.confirmed)
                self._registry.give_up(saved)
            else:
                self._missing.add(saved)
                self.scan_due = now


def _can_be_closed(generation: Generation, now: float) -> bool:
    """Whether it can be opened again, and goes on where it was; a rotated one once its writer seems to have left it."""
    is_at_rest = generation.failing or (generation.reader.exhausted and not generation.reader.waits)
    is_known = (generation.saved or not generation.source) and not generation.pending
    is_left = generation.left_at is None or now - max(generation.left_at, generation.grown_at) >= LEFT
    return is_at_rest and is_known and is_left and generation.segment is None and not generation.is_rewritten


def _rested(generation: Generation, *, done: bool) -> Checkpoint:
    """What is known of it, and of its file as it is now."""
    return generation.rested(stamp_of(os.fstat(generation.reader.fd)), done=done)


def _saved(generation: Generation) -> Checkpoint:
    """What is saved of it.

    A deleted file that was read to its end is not missed, and is known if a copy is found. One without content tells
    which log it was the live file of; what it has got since it was looked at is not known.
    """
    if not generation.source:
        return generation.rested((0, os.fstat(generation.reader.fd).st_mtime_ns), done=True)
    is_done = generation.reader.unlinked and generation.settled
    return _rested(generation, done=True) if is_done else generation.checkpoint


def _empty(files: Mapping[str, int], globs: Iterable[str]) -> Iterator[Checkpoint]:
    """Files without content, as an older version saved them: the inode of each path."""
    for path, inode in files.items():
        glob = next((each for each in globs if fnmatch(path, each)), None)
        if glob is not None:
            yield Checkpoint("", path, 0, inode, 0, 0, glob=glob, done=True, size=0)


def _leads_to(generation: Generation) -> bool:
    """Whether the path still names the file."""
    try:
        status = os.stat(generation.path)  # noqa: PTH116  # a string, looked at forty times a second
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == generation.inode
