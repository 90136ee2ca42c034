"""What discovery found -> followers: what is new, what was renamed meanwhile, and whose position is whose.

In come the files that are there now and the positions that are known; out go followers that are told where to begin.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from logrouter.observe.events import FILE_GONE
from shippers.input import is_compressed
from shippers.inputs.budget import Budget
from shippers.inputs.content import Rewritten
from shippers.inputs.descriptors import Opened, is_shortage, open_file
from shippers.inputs.discovery import Discovery, Found, Listing, Origin, stamp_of
from shippers.inputs.follower import Follower
from shippers.inputs.followers import Followers
from shippers.inputs.identity import Saved, shown
from shippers.inputs.known import Known
from shippers.inputs.notices import Notices
from shippers.inputs.places import Places
from shippers.inputs.tree import Inode
from shippers.inputs.twins import Twins

SETTLING = 3.0
"""Seconds for which a compressed file must not have changed before it is taken: it may be just being made."""

_BEYOND = 8
"""Files that may be open beyond the budget: those that were renamed with news in them are soon done with."""


class Finding:
    """origins: of each glob.   known: the positions that nobody has claimed.   places: where files were.

    grace: seconds for which a renamed file may still be written to.
    looked_before: the globs under which all has been seen once.   settling: see SETTLING.
    """

    def __init__(
        self,
        origins: Mapping[str, Origin],
        followers: Followers,
        known: Known,
        notices: Notices,
        *,
        places: Places,
        budget: Budget,
        looked_before: set[str],
        grace: float,
        settling: float = SETTLING,
    ) -> None:
        self.looked_before = looked_before
        self.settling = settling
        self._origins = origins
        self._followers = followers
        self._known = known
        self._places = places
        self._notices = notices
        self._twins = Twins(followers.by_inode)
        self._budget = budget
        self._grace = grace
        self._met: set[str] = set()
        self._missed: dict[str, float] = {}
        self._there_before: set[Inode] = set()
        self._again = math.inf

    def is_followed(self, inode: Inode) -> bool:
        """Whether a file is followed, or its content is as another one."""
        return inode in self._followers.by_inode or self._twins.is_followed(inode)

    def apply(self, discovery: Discovery, opened: Opened, now: float) -> float:
        """Take in what is new, notice what was renamed or is gone; says when to discover again at the latest.

        opened: files that were opened since they were discovered.
        """
        listing = Listing()
        self._again = math.inf
        met = self._origins.keys() - discovery.late
        self._await_turns(discovery, opened, met - self.looked_before)
        changed = [*self._meet(discovery, opened, now), *self._miss(discovery, now)]
        changed += self._look_for_renamed(discovery, listing, now)
        followers = self._followers.by_inode.values()
        places = self._places.passed_through(discovery, dict(changed), followers, listing, now)
        for path, origin in places:
            if not self._known.has_closed(path):  # those have been looked for
                self._open(path, origin, now)
        self._places.looked(met, discovery.began)
        if not met <= self._met:
            self._met |= met
            self.looked_before |= met
            self._followers.changes += 1
        return self._again

    def _await_turns(self, discovery: Discovery, opened: Opened, first_met: set[str]) -> None:
        """Keep in mind which files are there at the first look under a glob, though they are opened later."""
        self._there_before &= discovery.files.keys()
        for inode, found in discovery.files.items():
            if found.origin.glob in first_met and inode not in opened:
                self._there_before.add(inode)

    def _meet(self, discovery: Discovery, opened: Opened, now: float) -> Iterator[tuple[str, Origin]]:
        """Take or greet each file that was found; yields the places where another may have been since the last look."""
        # What was compressed comes after what it may have been made of.
        for inode, found in sorted(discovery.files.items(), key=lambda item: is_compressed(item[1].paths[0])):
            follower = self._followers.by_inode.get(inode)
            if follower is None and inode in opened:
                is_new = not self._known.has(inode, found.paths[0])
                is_there = self._take_opened(opened.pop(inode), found, now)
                self._there_before.discard(inode)
                if is_new or not is_there:
                    yield found.paths[0], found.origin
            elif follower is None:
                continue
            elif follower.path not in found.paths:
                yield follower.path, follower.origin
                follower.path, follower.left_at, follower.matched = found.paths[0], now, True
                self._followers.changes += 1
            elif not follower.matched:
                follower.left_at, follower.matched = None, True

    def _take_opened(self, opened: int | OSError, found: Found, now: float) -> bool:
        """Follow a file; false if it is there no more."""
        if isinstance(opened, int):
            self._take(opened, found.paths[0], found.origin, now, matched=True)
        elif isinstance(opened, FileNotFoundError):
            return False
        elif not is_shortage(opened):
            self._notices.failed(found.paths[0], opened.strerror)
        return True

    def _miss(self, discovery: Discovery, now: float) -> Iterator[tuple[str, Origin]]:
        """Notice which files no glob leads to any more; yields the places where they were."""
        for inode, follower in self._followers.by_inode.items():
            if follower.matched and inode not in discovery.files and follower.segment is None:
                yield follower.path, follower.origin
                follower.left_at, follower.matched = now, False

    def _look_for_renamed(self, discovery: Discovery, listing: Listing, now: float) -> Iterator[tuple[str, Origin]]:
        """Find files that were renamed while nobody had them open; yields the places where they were."""
        for saved, origin in self._missing(discovery):
            beside = listing.beside(saved.path)
            it = beside.get((saved.device, saved.inode))
            if it is not None and self._rests(saved, it[1], now):
                continue
            of_it = [path for path, _ in beside.values() if _is_of(path, saved.path)]
            for path in of_it if it is None else [it[0], *of_it]:
                if saved in self._known:
                    self._open(path, origin, now, known_only=True)
            self._missed.pop(saved.source, None)
            if saved in self._known:
                FILE_GONE.happened(path=shown(saved.path), position=saved.confirmed)
                self._known.give_up(saved)
            rewritten = self._followers.by_inode.get((saved.device, saved.inode))
            if rewritten is None or rewritten.path != saved.path:
                yield saved.path, origin

    def _missing(self, discovery: Discovery) -> list[tuple[Saved, Origin]]:
        """The files that were not read to their end, and are not where they were."""
        unfinished = [saved for saved in self._known.unfinished() if saved.glob in self._origins]
        if not unfinished:
            return []
        unopened = {inode: each for inode, each in discovery.files.items() if not self.is_followed(inode)}
        paths = {path for found in unopened.values() for path in found.paths}  # these are opened in their turn
        return [
            (saved, self._origins[saved.glob])
            for saved in unfinished
            if saved.glob not in discovery.late
            and (saved.device, saved.inode) not in unopened
            and saved.path not in paths
        ]

    def _rests(self, saved: Saved, status: os.stat_result, now: float) -> bool:
        """Whether a file that was renamed while it was closed is to be left alone now."""
        if self._known.closed(saved) == stamp_of(status):  # nothing new, and its writer may have it for a while
            if now - self._missed.setdefault(saved.source, now) > self._grace:
                del self._missed[saved.source]
                self._known.give_up(saved)
            return True
        return len(self._followers.by_inode) >= self._budget.most + _BEYOND

    def _open(self, path: str, origin: Origin, now: float, *, known_only: bool = False) -> None:
        """Follow the file at `path`, to which no glob leads, unless it is followed already."""
        try:
            fd = open_file(path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._notices.failed(path, error.strerror)
            return
        self._take(fd, path, origin, now, known_only=known_only)

    def _take(
        self, fd: int, path: str, origin: Origin, now: float, *, matched: bool = False, known_only: bool = False
    ) -> None:
        """Follow an open file, unless it is followed already."""
        try:
            follower = Follower(fd, path, origin, now, self._followers.tallies[origin.settings])
        except OSError as error:
            os.close(fd)
            self._notices.failed(path, error.strerror)
            return
        follower.matched = matched
        try:
            is_new = not self._is_awaited(follower, now) and self._identify(follower, now, known_only=known_only)
        except (OSError, Rewritten) as error:
            self._notices.failed(path, error.strerror if isinstance(error, OSError) else error)
            is_new = False
        if is_new:
            self._followers.add(follower)
        else:
            follower.close()

    def _is_awaited(self, follower: Follower, now: float) -> bool:
        """Whether it is followed already, or is perhaps just being compressed: then a later look takes it."""
        if follower.inode in self._followers.by_inode:
            return True
        status = os.fstat(follower.fd)
        is_fresh = is_compressed(follower.path) and time.time() - status.st_ctime < self.settling
        if is_fresh and follower.origin.glob in self._met:
            self._again = now + self.settling
            return True
        return False

    def _identify(self, follower: Follower, now: float, *, known_only: bool) -> bool:
        """Find out which incarnation it is, and where to begin; false if it must be known and is not."""
        saved = self._known.claim(follower)
        if saved is None and (twin := self._twins.find(follower)) is not None:
            if not (twin.unlinked and twin.settled):
                return False
            saved = replace(twin.state(), path=follower.path)
            self._followers.leave(twin)  # this one goes on with its content
        if saved is not None:
            follower.resume(saved)
        elif known_only:
            return False
        elif follower.origin.glob not in self.looked_before or follower.inode in self._there_before:
            follower.begin_as_set()
        if not follower.matched or (saved is not None and saved.path != follower.path):
            follower.left_at = now
        return True


def _is_of(path: str, earlier: str) -> bool:
    """Whether a compressed file may be what was made of an earlier one in the same directory, by its name."""
    return is_compressed(path) and os.path.basename(path).startswith(os.path.basename(earlier).partition(".")[0])  # noqa: PTH119  # paths are plain strings here
