"""Keeps the files that have to be opened because it is not known yet which generation they hold."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shippers.files.chains import Chains
from shippers.files.descriptors import Opened, is_shortage
from shippers.files.discovery import Discovery, Origin, Wanted, is_excluded
from shippers.files.notices import Notices
from shippers.files.reader import Reader
from shippers.files.registry import Registry
from shippers.files.rotation import Sibling, age, uncompressed
from shippers.files.standing import LogFiles
from shippers.files.tree import Inode
from shippers.input import is_compressed


class Arrival(NamedTuple):
    """A file that was opened and has to be recognised.

    was_there: it existed at the first look at its glob.   was_rotated: it existed then, and no glob led to it.
    """

    wanted: Wanted
    reader: Reader
    was_there: bool = False
    was_rotated: bool = False

    @property
    def what(self) -> tuple[Sibling, Reader]:
        """The arguments by which `Recognition` recognises it."""
        return self.wanted.file, self.reader


class Arrivals:
    """The files that are not recognised yet, opened or not.

    origins: by glob.   looked_before: the globs that have been looked at completely once.
    settling: seconds for which a compressed file must be unchanged, because it may still be being written.
    """

    def __init__(
        self,
        origins: Mapping[str, Origin],
        chains: Chains,
        registry: Registry,
        standing: LogFiles,
        notices: Notices,
        *,
        looked_before: set[str],
        settling: float,
    ) -> None:
        self.looked_before = looked_before
        self._origins = origins
        self._chains = chains
        self._registry = registry
        self._standing = standing
        self._notices = notices
        self.settling = settling
        self._wanted: dict[Inode, Wanted] = {}
        self._failing: set[Inode] = set()
        self._there_before: dict[Inode, bool] = {}  # whether a glob led to each
        self._met: set[str] = set()

    def wanted(self, discovery: Discovery, *, has_room: bool) -> list[Wanted]:
        """Return the files to open, those of each log oldest first.

        is_roomy: include files that were closed to make room and hold nothing new.
        """
        found = {inode: each for inode, each in self._wanted.items() if not each.is_matched}
        for live in sorted(self._standing.changed):
            for file in self._standing.rotated(live):
                found[file.inode] = Wanted(file, live, self._standing.origin(live), is_matched=False)
        for inode, each in discovery.files.items():
            if inode not in self._chains.by_inode and each.origin.glob not in discovery.late:
                file = Sibling(each.paths[0], inode, *each.stamp)
                found[inode] = Wanted(file, self._standing.log_of(file.path), each.origin)
        wanted = [each for each in found.values() if not self._is_known(each, has_room=has_room)]
        wanted.sort(key=lambda each: (age(each.path), not is_compressed(each.path)), reverse=True)
        self._wanted = {each.inode: each for each in wanted}
        return wanted

    def arrive(self, discovery: Discovery, opened: Opened) -> dict[str, list[Arrival]]:
        """Return the files that were opened, by the live path of their log, and remove them from `opened`."""
        met = self._origins.keys() - discovery.late
        first = met - self.looked_before
        before = {inode: is_matched for inode, is_matched in self._there_before.items() if inode in self._wanted}
        now = {inode: each.is_matched for inode, each in self._wanted.items() if each.origin.glob in first}
        self._there_before = now | before
        arrived: dict[str, list[Arrival]] = {}
        for inode, wanted in self._wanted.items():
            try:
                reader = self._reader(wanted, opened.get(inode))
            except OSError as error:
                self.fail(wanted, error)
                continue
            if reader is not None:
                del opened[inode]
                self._failing.discard(inode)
                was_matched = self._there_before.get(inode)
                arrival = Arrival(wanted, reader, was_matched is not None, was_matched is False)
                arrived.setdefault(wanted.live, []).append(arrival)
        return arrived

    def looked(self, discovery: Discovery) -> bool:
        """Note that `discovery` was processed. Report whether it includes the first look at a glob."""
        met = self._origins.keys() - discovery.late
        self._met |= met
        is_first = not met <= self.looked_before
        self.looked_before |= met
        return is_first

    def waiting(self) -> Iterator[Wanted]:
        """Yield the files that are not recognised yet, except those that cannot be read."""
        return (each for inode, each in self._wanted.items() if inode not in self._failing)

    def unknown(self, inodes: set[Inode]) -> set[Inode]:
        """Return those of these files that are not recognised yet, except those that cannot be read."""
        return (inodes & self._wanted.keys()) - self._failing

    def recognised(self, inode: Inode) -> None:
        """Stop waiting for this file: it is recognised."""
        self._wanted.pop(inode, None)

    def fail(self, wanted: Wanted, error: OSError) -> None:
        """Note that a file cannot be read, so that later generations do not wait for it."""
        self._failing.add(wanted.inode)
        self._standing.changed.add(wanted.live)
        self._notices.failed(wanted.path, error.strerror)

    def is_fresh(self, arrival: Arrival) -> bool:
        """Report whether a compressed file may still be being written.

        A file that a glob matches at the first look of this process never counts as fresh.
        """
        wanted, reader = arrival.wanted, arrival.reader
        if not is_compressed(wanted.path) or (wanted.is_matched and wanted.origin.glob not in self._met):
            return False
        return time.time() - os.fstat(reader.fd).st_ctime < self.settling

    def _reader(self, wanted: Wanted, answer: int | OSError | None) -> Reader | None:
        """Return a reader for a file that was opened, or None if there is nothing to read now. Raises OSError."""
        if isinstance(answer, OSError):
            if isinstance(answer, FileNotFoundError) or is_shortage(answer):
                return None
            raise answer
        if answer is None or wanted.inode in self._chains.by_inode:
            return None
        reader = Reader(answer, wanted.path, wanted.origin.settings)
        if reader.inode != wanted.inode:  # by then the path led to another file
            self._standing.changed.add(wanted.live)
            return None
        return reader

    def _is_known(self, wanted: Wanted, *, has_room: bool) -> bool:
        """Report whether a file need not be opened: it is open, a copy, done, excluded, or was closed to make room.

        The last reason counts only for a file that a glob matches, and only while there is no room.
        """
        file = wanted.file
        if file.inode in self._chains.by_inode or self._is_copy(file, wanted.live):
            return True
        resting = self._registry.resting(file)
        if resting is not None:
            is_done = resting.done and bool(resting.size)
            return is_done or (wanted.is_matched and not has_room)
        return not wanted.is_matched and is_excluded(uncompressed(file.path), wanted.origin.settings)

    def _is_copy(self, file: Sibling, live: str) -> bool:
        """Report whether a file is known to be a copy of another that still holds the same content."""
        log = self._chains.log(live)
        copy = log.copies.get(file.inode)
        if copy is None:
            return False
        original = self._standing.of(live).get(copy.of)
        is_there = copy.of in self._chains.by_inode or (
            original is not None and self._registry.resting(original) is not None
        )
        if not is_there or (copy.size, copy.changed) != (file.size, file.changed):
            log.copies = {inode: each for inode, each in log.copies.items() if inode != file.inode}
            return False
        return True
