"""All files that the inputs match: which there are, which is which, whose turn it is, and when one is let go.

In come what discovery found and the saved positions; out go followers, one for each incarnation of a file. A file is
known by its inode while it is held open, so it may be renamed, linked and deleted meanwhile; after a restart by its
inode and what it still holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from logrouter.observe.events import FILE_GONE
from logrouter.statement import SourceStatement
from shippers.input import Input, is_compressed
from shippers.inputs.content import Rewritten
from shippers.inputs.discovery import Discovery, Listing, Origin
from shippers.inputs.follower import QUIET, Follower, Tally
from shippers.inputs.gone import Gone
from shippers.inputs.identity import shown
from shippers.inputs.known import Known
from shippers.inputs.notices import Notices
from shippers.inputs.places import Places
from shippers.inputs.tree import Inode
from shippers.inputs.turns import Turns
from shippers.inputs.twins import Twins
from shippers.inputs.watches import Watches
from shippers.lines import Window
from shippers.positions import Positions, State
from shippers.spool import Segment

T = TypeVar("T")

SPOOLED = "spool"
"""In place of the glob, of a segment of a spool: no glob is without a slash."""

GRACE = 60.0
"""Seconds for which a file that was renamed or deleted is still followed after it last grew: its writer may keep it."""

SETTLING = 3.0
"""Seconds for which a compressed file must not have changed before it is taken: it may be just being made."""


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
        settling: float = SETTLING,
        watches: Watches | None = None,
    ) -> None:
        self.tallies = {settings: Tally() for settings in inputs}
        self.scan_due = 0.0
        self.unsaved: set[Follower] = set()
        self._origins = {glob: Origin(settings, glob) for settings in reversed(inputs) for glob in settings.globs}
        self._grace = grace
        self._settling = settling
        self._followers: dict[Inode, Follower] = {}
        self._twins = Twins(self._followers)
        self.turns = Turns(watches or Watches())
        self._ended: list[Follower] = []
        self.gone = Gone(self._origins)
        self._known = Known(positions.state.files, positions.state.empty)
        self._places = Places(positions.state.looked_at, grace)
        self._looked_before = set(self._origins) if positions.lost else set(positions.state.globs)
        self._is_first = True
        self._changes = 0
        self.notices = Notices(self._origins)

    @property
    def revision(self) -> tuple[int, int]:
        """Differs from an earlier one where `state` does."""
        return self._changes, sum(tally.lines_confirmed for tally in self.tallies.values())

    def __iter__(self) -> Iterator[Follower]:
        return iter(list(self._followers.values()))

    def apply(self, discovery: Discovery, now: float) -> None:
        """Open what is new, notice what was renamed or is gone, and let go of what is done with."""
        listing = Listing()
        changed = [*self._meet(discovery, now), *self._miss(discovery, now)]
        if self._is_first:
            changed += self._look_for_renamed(listing, now)
        followers = self._followers.values()
        for path, origin in self._places.passed_through(discovery.vacant, dict(changed), followers, listing, now):
            self._open(path, origin, now)
        self.look(now)
        self.notices.scanned(discovery)
        if self._is_first:
            self._is_first = False
            self._looked_before |= self._origins.keys()
            self._changes += 1
        self._places.looked_at = discovery.began

    def look(self, now: float) -> None:
        """See which files have grown, and let go of what is done with."""
        for follower in self:
            self.turns.watch(follower)
            self._attempt(follower, now, partial(follower.look, now))
            if not (follower.failing or follower.ended):
                self._wake_or_let_go(follower, now)

    def wake(self, inodes: Iterable[Inode]) -> None:
        """These have changed."""
        for inode in inodes:
            if inode in self._followers:
                self.turns.wake(self._followers[inode])

    def adopt(self, settings: Input, segment: Segment, now: float) -> Follower | None:
        """Follow a segment of a spool from where it is confirmed; None where it cannot be opened yet."""
        path = str(segment.path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.notices.failed(path, error.strerror)
            return None
        follower = Follower(fd, path, Origin(settings, SPOOLED, segment), now, self.tallies[settings])
        saved = self._known.claim_source(segment.source)
        if saved is not None:
            follower.resume(saved)
            segment.confirmed = saved.confirmed
        follower.source, follower.saved = segment.source, True
        self._followers[follower.inode] = follower
        self.turns.wake(follower)
        self._changes += 1
        return follower

    def release(self, follower: Follower) -> None:
        """A segment is closed and confirmed to its end: it is followed no longer, and can be deleted."""
        self._follow_no_longer(follower)
        self.gone.add(follower)

    def forget_segments(self) -> None:
        """All segments that there are have been adopted: positions of others are of none."""
        self._known.forget(SPOOLED)

    def read(self, follower: Follower, now: float) -> Window | None:
        """The next window of a follower, if there is one now."""
        window = self._attempt(follower, now, partial(follower.read, now, final=self._is_final(follower, now)))
        if window is None and not follower.failing:
            if follower.segment is not None:
                pass  # there are few of them, and a look each tick is what makes them immediate
            elif self._is_quiet(follower, now):
                self.turns.sleep(follower)
                if now - follower.grown_at < 2 * QUIET:  # else it changed without growing, and may do that all the time
                    self.turns.watch(follower)
            elif follower.matched and not _leads_to(follower):
                self.scan_due = now
        return window

    def saved(self, followers: Iterable[Follower]) -> None:
        """The identities of these are safe, so that they can be read."""
        for follower in followers:
            follower.saved = True
            self.unsaved.discard(follower)

    def state(self) -> State:
        """What is to be saved."""
        for follower in [follower for follower in self._ended if not follower.pending]:
            self._ended.remove(follower)
            self.gone.add(follower)
        followed = [each for each in self._followers.values() if each.source and not (each.unlinked and each.settled)]
        files = [*(follower.state() for follower in (*followed, *self._ended)), *self._known]
        empty = {follower.path: follower.inode[1] for follower in self if not follower.source}
        return State(files, sorted(self._looked_before), self._places.looked_at, empty=empty)

    def standings(self) -> list[SourceStatement]:
        """How far each source is: of all that are followed or remembered, and of those gone and not yet forgotten."""
        return self.gone.standings([*self._followers.values(), *self._ended], self._known)

    def close(self) -> None:
        """Let go of all."""
        for follower in self._followers.values():
            follower.close()

    def _meet(self, discovery: Discovery, now: float) -> Iterator[tuple[str, Origin]]:
        """Open or greet each file that was found; yields the places where another may have been since the last look."""
        # What was compressed comes after what it may have been made of.
        for inode, found in sorted(discovery.files.items(), key=lambda item: is_compressed(item[1].paths[0])):
            follower = self._followers.get(inode)
            if follower is None and self._twins.is_followed(inode):
                continue
            if follower is None:
                is_new = not self._known.has(inode, found.paths[0])
                if not self._open(found.paths[0], found.origin, now, matched=True) or is_new:
                    yield found.paths[0], found.origin
            elif follower.path not in found.paths:
                yield follower.path, follower.origin
                follower.path, follower.left_at, follower.matched = found.paths[0], now, True
                self._changes += 1
            elif not follower.matched:
                follower.left_at, follower.matched = None, True

    def _miss(self, discovery: Discovery, now: float) -> Iterator[tuple[str, Origin]]:
        """Notice which files no glob leads to any more; yields the places where they were."""
        for inode, follower in self._followers.items():
            if follower.matched and inode not in discovery.files and follower.segment is None:
                yield follower.path, follower.origin
                follower.left_at, follower.matched = now, False

    def _look_for_renamed(self, listing: Listing, now: float) -> Iterator[tuple[str, Origin]]:
        """Find files that were renamed while nobody looked; yields the places where they were."""
        for saved in self._known.unfinished():
            origin = self._origins.get(saved.glob)
            if origin is None:
                continue
            for path, status in listing.beside(saved.path):
                is_it = (status.st_dev, status.st_ino) == (saved.device, saved.inode)
                if saved in self._known and (is_it or _is_of(path, saved.path)):
                    self._open(path, origin, now, known_only=True)
            if saved in self._known:
                FILE_GONE.happened(path=shown(saved.path), position=saved.confirmed)
                self._known.give_up(saved)
            rewritten = self._followers.get((saved.device, saved.inode))
            if rewritten is None or rewritten.path != saved.path:
                yield saved.path, origin

    def _open(self, path: str, origin: Origin, now: float, *, matched: bool = False, known_only: bool = False) -> bool:
        """Follow the file at `path`, unless it is followed already; false if there is none any more."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.notices.failed(path, error.strerror)
            return True
        try:
            follower = Follower(fd, path, origin, now, self.tallies[origin.settings])
        except OSError as error:
            os.close(fd)
            self.notices.failed(path, error.strerror)
            return True
        follower.matched = matched
        try:
            is_new = not self._is_awaited(follower, now) and self._identify(follower, now, known_only=known_only)
        except (OSError, Rewritten) as error:
            self.notices.failed(path, error.strerror if isinstance(error, OSError) else error)
            is_new = False
        if is_new:
            self._followers[follower.inode] = follower
            self.turns.wake(follower)
            self._changes += 1
        else:
            follower.close()
        return True

    def _is_awaited(self, follower: Follower, now: float) -> bool:
        """Whether it is followed already, or is perhaps just being compressed: then a later look takes it."""
        if follower.inode in self._followers:
            return True
        status = os.fstat(follower.fd)
        is_fresh = is_compressed(follower.path) and time.time() - status.st_ctime < self._settling
        if is_fresh and not self._is_first:
            self.scan_due = min(self.scan_due, now + self._settling)
            return True
        return False

    def _identify(self, follower: Follower, now: float, *, known_only: bool) -> bool:
        """Find out which incarnation it is, and where to begin; false if it must be known and is not."""
        saved = self._known.claim(follower)
        if saved is None and (twin := self._twins.find(follower)) is not None:
            if not (twin.unlinked and twin.settled):
                return False
            saved = replace(twin.state(), path=follower.path)
            self._follow_no_longer(twin)  # this one goes on with its content
        if saved is not None:
            follower.resume(saved)
        elif known_only:
            return False
        elif follower.origin.glob not in self._looked_before:
            follower.begin_as_set()
        if not follower.matched or (saved is not None and saved.path != follower.path):
            follower.left_at = now
        return True

    def _follow_no_longer(self, follower: Follower) -> None:
        del self._followers[follower.inode]
        self.turns.leave(follower)
        follower.close()
        self._changes += 1

    def _begin_anew(self, old: Follower, now: float) -> None:
        """The same file, rewritten: another incarnation, from its start."""
        old.end()
        if old.pending:
            self._ended.append(old)
        else:
            self.gone.add(old)
        new = Follower(old.fd, old.path, old.origin, now, self.tallies[old.origin.settings])
        new.matched, new.left_at = old.matched, old.left_at
        self.unsaved.discard(old)
        self._followers[old.inode] = new
        self.turns.sleep(old)
        self.turns.wake(new)
        self._changes += 1

    def _is_quiet(self, follower: Follower, now: float) -> bool:
        """Whether there is nothing to be read for a while, nor anything under way that may have to be read again."""
        has_all = follower.exhausted and not (follower.waits or follower.pending)
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
            self._begin_anew(follower, now)
            return None
        except OSError as error:
            follower.failing, follower.due = True, now + QUIET
            self.notices.failed(follower.path, error.strerror)
            return None
        follower.failing = False
        if follower.source and not follower.saved:
            self.unsaved.add(follower)
        return result

    def _wake_or_let_go(self, follower: Follower, now: float) -> None:
        is_final = self._is_final(follower, now)
        if not follower.exhausted or (is_final and follower.size > follower.position):
            self.turns.wake(follower)
        elif is_final and not follower.matched and follower.settled:
            self._let_go(follower)

    def _let_go(self, follower: Follower) -> None:
        self._follow_no_longer(follower)
        if follower.source and not follower.unlinked:
            self._known.remember(replace(follower.state(), done=True))
        self.gone.add(follower)


def _leads_to(follower: Follower) -> bool:
    """Whether the follower's path still names its file."""
    try:
        status = os.stat(follower.path)  # noqa: PTH116  # a string, looked at forty times a second
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == follower.inode


def _is_of(path: str, earlier: str) -> bool:
    """Whether a compressed file may be what was made of an earlier one in the same directory, by its name."""
    return is_compressed(path) and os.path.basename(path).startswith(os.path.basename(earlier).partition(".")[0])  # noqa: PTH119  # paths are plain strings here
