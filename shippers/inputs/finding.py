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
from shippers.inputs.content import Rewritten
from shippers.inputs.discovery import Discovery, Listing, Origin
from shippers.inputs.follower import Follower
from shippers.inputs.followers import Followers
from shippers.inputs.identity import shown
from shippers.inputs.known import Known
from shippers.inputs.notices import Notices
from shippers.inputs.places import Places
from shippers.inputs.twins import Twins

SETTLING = 3.0
"""Seconds for which a compressed file must not have changed before it is taken: it may be just being made."""


class Finding:
    """origins: of each glob.   known: the positions that nobody has claimed.   places: where files were.

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
        looked_before: set[str],
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
        self._is_first = True
        self._again = math.inf

    def apply(self, discovery: Discovery, now: float) -> float:
        """Open what is new, notice what was renamed or is gone; says when to discover again at the latest."""
        listing = Listing()
        self._again = math.inf
        changed = [*self._meet(discovery, now), *self._miss(discovery, now)]
        if self._is_first:
            changed += self._look_for_renamed(listing, now)
        followers = self._followers.by_inode.values()
        for path, origin in self._places.passed_through(discovery.vacant, dict(changed), followers, listing, now):
            self._open(path, origin, now)
        self._places.looked_at = discovery.began
        if self._is_first:
            self._is_first = False
            self.looked_before |= self._origins.keys()
            self._followers.changes += 1
        return self._again

    def _meet(self, discovery: Discovery, now: float) -> Iterator[tuple[str, Origin]]:
        """Open or greet each file that was found; yields the places where another may have been since the last look."""
        # What was compressed comes after what it may have been made of.
        for inode, found in sorted(discovery.files.items(), key=lambda item: is_compressed(item[1].paths[0])):
            follower = self._followers.by_inode.get(inode)
            if follower is None and self._twins.is_followed(inode):
                continue
            if follower is None:
                is_new = not self._known.has(inode, found.paths[0])
                if not self._open(found.paths[0], found.origin, now, matched=True) or is_new:
                    yield found.paths[0], found.origin
            elif follower.path not in found.paths:
                yield follower.path, follower.origin
                follower.path, follower.left_at, follower.matched = found.paths[0], now, True
                self._followers.changes += 1
            elif not follower.matched:
                follower.left_at, follower.matched = None, True

    def _miss(self, discovery: Discovery, now: float) -> Iterator[tuple[str, Origin]]:
        """Notice which files no glob leads to any more; yields the places where they were."""
        for inode, follower in self._followers.by_inode.items():
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
            rewritten = self._followers.by_inode.get((saved.device, saved.inode))
            if rewritten is None or rewritten.path != saved.path:
                yield saved.path, origin

    def _open(self, path: str, origin: Origin, now: float, *, matched: bool = False, known_only: bool = False) -> bool:
        """Follow the file at `path`, unless it is followed already; false if there is none any more."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._notices.failed(path, error.strerror)
            return True
        try:
            follower = Follower(fd, path, origin, now, self._followers.tallies[origin.settings])
        except OSError as error:
            os.close(fd)
            self._notices.failed(path, error.strerror)
            return True
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
        return True

    def _is_awaited(self, follower: Follower, now: float) -> bool:
        """Whether it is followed already, or is perhaps just being compressed: then a later look takes it."""
        if follower.inode in self._followers.by_inode:
            return True
        status = os.fstat(follower.fd)
        is_fresh = is_compressed(follower.path) and time.time() - status.st_ctime < self.settling
        if is_fresh and not self._is_first:
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
        elif follower.origin.glob not in self.looked_before:
            follower.begin_as_set()
        if not follower.matched or (saved is not None and saved.path != follower.path):
            follower.left_at = now
        return True


def _is_of(path: str, earlier: str) -> bool:
    """Whether a compressed file may be what was made of an earlier one in the same directory, by its name."""
    return is_compressed(path) and os.path.basename(path).startswith(os.path.basename(earlier).partition(".")[0])  # noqa: PTH119  # paths are plain strings here
