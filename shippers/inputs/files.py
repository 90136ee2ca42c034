"""All files that the inputs match: what is read of each, whose turn it is, and when one is let go.

In come what discovery found and the saved positions; out go followers, one for each incarnation of a file. A file is
known by its inode while it is held open, so it may be renamed, linked and deleted meanwhile; after a restart by its
inode and what it still holds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from logrouter.statement import SourceStatement
from shippers.input import Input
from shippers.inputs.budget import NONE, Budget
from shippers.inputs.content import Rewritten, content_of
from shippers.inputs.descriptors import Opened, close_all, open_all, open_file
from shippers.inputs.discovery import Discovery, Listing, Origin, Wanted, stamp_of
from shippers.inputs.finding import SETTLING, Finding
from shippers.inputs.follower import QUIET, Follower
from shippers.inputs.followers import Followers
from shippers.inputs.known import Known
from shippers.inputs.notices import Notices
from shippers.inputs.places import Places
from shippers.inputs.reread import Reread
from shippers.inputs.tree import Inode
from shippers.inputs.watches import Watches
from shippers.lines import Window
from shippers.positions import Positions, State
from shippers.spool import Segment

T = TypeVar("T")

SPOOLED = "spool"
"""In place of the glob, of a segment of a spool: no glob is without a slash."""

GRACE = 60.0
"""Seconds for which a file that was renamed or deleted is still followed after it last grew: its writer may keep it."""


class Files:
    """The files of all inputs. `now` is always time.monotonic().

    tallies: lines, by input.   scan_due: when to discover again.
    unsaved: followers whose identity has to be saved before they are read.   turns: those that are awake.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        positions: Positions,
        grace: float = GRACE,
        *,
        settling: float = SETTLING,
        watches: Watches | None = None,
        most_open: int = sys.maxsize,
    ) -> None:
        origins = {glob: Origin(settings, glob) for settings in reversed(inputs) for glob in settings.globs}
        self._origins = origins
        saved = positions.state
        self.scan_due = 0.0
        self.unsaved: set[Follower] = set()
        self.notices = Notices(origins)
        self._grace = grace
        self._followers = followers = Followers(inputs, origins, watches or Watches())
        self.tallies, self.turns, self.gone = followers.tallies, followers.turns, followers.gone
        self._known = Known(saved.files, saved.empty)
        self._places = Places(saved.looked_at, grace)
        self._stalled = self._unsure = frozenset[str]()  # globs: open files there, and paths there, are left alone
        self.budget = Budget(most_open)
        self._finding = Finding(
            origins,
            followers,
            self._known,
            self.notices,
            places=self._places,
            budget=self.budget,
            grace=grace,
            looked_before=set(origins) if positions.lost else set(saved.globs),
            settling=settling,
        )

    @property
    def revision(self) -> tuple[int, int]:
        """Differs from an earlier one where `state` does."""
        return self._followers.changes, sum(tally.lines_confirmed for tally in self.tallies.values())

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._followers)

    def wanted(self, discovery: Discovery, now: float) -> list[Wanted]:
        """What is to be opened for `apply`: as much as may be, for which others that hold nothing new are closed."""
        self._stalled, self._unsure = discovery.late & discovery.remote, discovery.late | discovery.remote
        due = self.budget.due(discovery, self._finding.is_followed)
        followed = self._followers.by_inode
        self._close_for(len(followed) + len(due) - self.budget.most, now)
        room = max(0, self.budget.most - len(followed))
        self.budget.wait(due, room, len(discovery.files))
        files = discovery.files
        return [Wanted(inode, files[inode].paths[0], files[inode].origin) for inode in due[:room]]

    def apply(self, discovery: Discovery, now: float, opened: Opened | None = None) -> None:
        """Take in what is new, notice what was renamed or is gone, and let go of what is done with.

        opened: of what is `wanted`; by default it is opened here.
        """
        if opened is None:
            opened = open_all({each.inode: each.path for each in self.wanted(discovery, now)})
        tried = list(opened)
        self.scan_due = min(self.scan_due, self._finding.apply(discovery, opened, now))
        close_all(opened.values())  # what nobody has taken
        for inode in tried:
            self.budget.tried(inode, is_followed=inode in self._followers.by_inode, now=now)
        self.look(now)
        self.notices.scanned(discovery)

    def look(self, now: float) -> None:
        """See which files have grown, and let go of what is done with."""
        for follower in self:
            if follower.origin.glob in self._stalled:
                continue
            self.turns.watch(follower)
            self._attempt(follower, now, partial(follower.look, now))
            if not (follower.failing or follower.ended):
                self._wake_or_let_go(follower, now)

    def wake(self, inodes: Iterable[Inode]) -> None:
        """These have changed."""
        for inode in inodes:
            if follower := self._followers.by_inode.get(inode):
                self.turns.wake(follower)

    def adopt(self, settings: Input, segment: Segment, now: float) -> Follower | None:
        """Follow a segment of a spool from where it is confirmed; None where it cannot be opened yet."""
        path = str(segment.path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.notices.failed(path, error.strerror)
            return None
        follower = Follower(fd, path, Origin(settings, SPOOLED, segment), now, self.tallies[settings])
        follower.since = time.time()
        saved = self._known.claim_source(segment.source)
        if saved is not None:
            follower.resume(saved)
            segment.confirmed = saved.confirmed
        follower.source, follower.saved = segment.source, True
        self._followers.add(follower)
        return follower

    def release(self, follower: Follower) -> None:
        """A segment is closed and confirmed to its end: it is followed no longer, and can be deleted."""
        self._followers.let_go(follower)

    def forget_segments(self) -> None:
        """All segments that there are have been adopted: positions of others are of none."""
        self._known.forget(SPOOLED)

    def read(self, follower: Follower, now: float) -> Window | None:
        """The next window of a follower, if there is one now."""
        if follower.origin.glob in self._stalled:
            follower.due = now + QUIET
            return None
        window = self._attempt(follower, now, partial(follower.read, now, final=self._is_final(follower, now)))
        if window is None and not follower.failing:
            if follower.segment is not None:
                pass  # there are few of them, and a look each tick is what makes them immediate
            elif self._is_quiet(follower, now):
                self.turns.sleep(follower)
                if now - follower.grown_at < 2 * QUIET:  # else it changed without growing, and may do that all the time
                    self.turns.watch(follower)
            elif follower.matched and follower.origin.glob not in self._unsure and not _leads_to(follower):
                self.scan_due = now
        return window

    def saved(self, followers: Iterable[Follower]) -> None:
        """The identities of these are safe, so that they can be read."""
        for follower in followers:
            follower.saved = True
            self.unsaved.discard(follower)

    def state(self) -> State:
        """What is to be saved."""
        files = [*(follower.state() for follower in self._followers.unfinished()), *self._known]
        empty = {follower.path: follower.inode[1] for follower in self if not follower.source}
        empty |= self._known.empty(self.budget.of_closed)
        return State(files, sorted(self._finding.looked_before), self._places.looked_at, empty=empty)

    def standings(self) -> list[SourceStatement]:
        """How far each source is, also of those that are gone and not yet forgotten."""
        return self._followers.standings(self._known)

    def follower_of(self, inode: Inode) -> Follower | None:
        """Whoever follows a file, if it is open."""
        return self._followers.by_inode.get(inode)

    def reread(self, source: str) -> Reread | None:
        """A source that is to be read once more; None for one that is not known, or whose content is gone."""
        for follower in self:
            if follower.source == source:
                fd = open_file(f"/proc/self/fd/{follower.fd}")
                return Reread(fd, follower.path, follower.origin.settings, source, follower.chain.start)
        saved = next((each for each in self._known if each.source == source), None)
        origin = self._origins.get(saved.glob) if saved else None
        if saved is None or origin is None:
            return None
        beside = Listing().beside(saved.path).values()
        for path in dict.fromkeys([saved.path, *(path for path, _ in beside)]):
            with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
                fd = open_file(path)
                opened.callback(os.close, fd)
                if saved.recognises(content_of(fd, path)):
                    found = Reread(fd, path, origin.settings, source, saved.start)
                    opened.pop_all()
                    return found
        return None

    def close(self) -> None:
        """Let go of all."""
        self._followers.close()

    def _close_for(self, others: int, now: float) -> None:
        """Close files that hold nothing new, the quietest first, for so many others."""
        quietest = sorted(self, key=lambda follower: follower.grown_at) if others > 0 else ()
        closed = 0
        for follower in quietest:
            if closed < others and _can_be_closed(follower) and follower.origin.glob not in self._stalled:
                closed += self._close(follower, now)

    def _close(self, follower: Follower, now: float) -> bool:
        """Close a file until it holds more, if it still holds nothing new."""
        stamp = NONE
        if not follower.failing:
            stamp = stamp_of(os.fstat(follower.fd))
            self._attempt(follower, now, partial(follower.look, now))
            if follower.failing or follower.ended or not _can_be_closed(follower):
                return False
        if not follower.matched:  # it is looked for beside the name that it has now
            follower.path = _name_beside(follower) or follower.path
        self._known.keep(follower, stamp)
        self._followers.leave(follower)
        self.unsaved.discard(follower)
        self.budget.closed(follower.inode, stamp, now)
        return True

    def _is_quiet(self, follower: Follower, now: float) -> bool:
        """Whether there is nothing to be read for a while, nor anything under way that may have to be read again."""
        has_all = follower.exhausted and not (follower.waits or follower.chain.pending)
        return has_all and now - follower.grown_at >= QUIET

    def _is_final(self, follower: Follower, now: float) -> bool:
        """Whether its writer has had its time after the file was renamed or deleted, or has closed it."""
        if follower.segment is not None:
            return follower.segment.closed
        return follower.left_at is not None and now - max(follower.left_at, follower.grown_at) > self._grace

    def _attempt(self, follower: Follower, now: float, action: Callable[[], T]) -> T | None:
        """What `action` returns, or None for a file that was rewritten or fails."""
        try:
            result = action()
        except Rewritten:
            self.unsaved.discard(follower)
            self._followers.begin_anew(follower, now)
            return None
        except OSError as error:
            follower.failing, follower.due = True, now + QUIET
            self.notices.failed(follower.path, error.strerror)
            return None
        except Exception as error:  # noqa: BLE001  # whatever one file comes to, the others are read
            follower.failing, follower.due = True, now + QUIET
            self.notices.failed(follower.path, f"{type(error).__name__}: {error}")
            return None
        follower.failing = False
        if follower.source and not follower.saved:
            self.unsaved.add(follower)
        return result

    def _wake_or_let_go(self, follower: Follower, now: float) -> None:
        is_final = self._is_final(follower, now)
        if not follower.exhausted or (is_final and follower.size > follower.chain.position):
            self.turns.wake(follower)
        elif is_final and not follower.matched and follower.settled:
            self._let_go(follower)

    def _let_go(self, follower: Follower) -> None:
        if follower.source and not follower.unlinked:
            self._known.remember(replace(follower.state(), done=True))
        self._followers.let_go(follower)


def _can_be_closed(follower: Follower) -> bool:
    """Whether it can be opened again, and goes on where it was."""
    is_at_rest = follower.failing or (follower.exhausted and not follower.waits)
    is_known = follower.saved or not follower.source
    is_done_with = follower.segment is not None or follower.ended or follower.chain.pending
    return is_at_rest and is_known and not is_done_with and bool(follower.matched or _name_beside(follower))


def _name_beside(follower: Follower) -> str:
    """What a file that was renamed is called now, where that is in the same directory; '' elsewhere."""
    name = os.readlink(f"/proc/self/fd/{follower.fd}")  # noqa: PTH115  # paths are plain strings here
    is_beside = os.path.dirname(name) == os.path.dirname(os.path.realpath(follower.path))  # noqa: PTH120
    return name if is_beside and _names(name, follower.inode) else ""


def _leads_to(follower: Follower) -> bool:
    """Whether the follower's path still names its file."""
    return _names(follower.path, follower.inode)


def _names(path: str, inode: Inode) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116  # a string, looked at forty times a second
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == inode
