"""The files that are to be opened, since nobody knows yet what they are."""

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
from shippers.files.standing import Standing
from shippers.files.tree import Inode
from shippers.input import is_compressed


class Arrival(NamedTuple):
    """A file that was opened.

    was_there: it stood there when its glob was looked at first.   was_rotated: and no glob led to it.
    """

    wanted: Wanted
    reader: Reader
    was_there: bool = False
    was_rotated: bool = False

    @property
    def what(self) -> tuple[Sibling, Reader]:
        """What it is recognised by."""
        return self.wanted.file, self.reader


class Arrivals:
    """origins: by glob.   looked_before: the globs under which all has been seen once.

    settling: seconds for which a compressed file must not have changed: it may be just being made.
    """

    def __init__(
        self,
        origins: Mapping[str, Origin],
        chains: Chains,
        registry: Registry,
        standing: Standing,
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
        self._there_before: dict[Inode, bool] = {}  # and whether a glob led to it
        self._met: set[str] = set()

    def wanted(self, discovery: Discovery, *, is_roomy: bool) -> list[Wanted]:
        """The files that are to be opened, those of each log oldest first.

        is_roomy: also those that were closed to make room, and hold nothing new.
        """
        found = {inode: each for inode, each in self._wanted.items() if not each.is_matched}
        for live in sorted(self._standing.changed):
            for file in self._standing.rotated(live):
                found[file.inode] = Wanted(file, live, self._standing.origin(live), is_matched=False)
        for inode, each in discovery.files.items():
            if inode not in self._chains.by_inode and each.origin.glob not in discovery.late:
                file = Sibling(each.paths[0], inode, *each.stamp)
                found[inode] = Wanted(file, self._standing.log_of(file.path), each.origin)
        wanted = [each for each in found.values() if not self._is_known(each, is_roomy=is_roomy)]
        wanted.sort(key=lambda each: (age(each.path), not is_compressed(each.path)), reverse=True)
        self._wanted = {each.inode: each for each in wanted}
        return wanted

    def arrive(self, discovery: Discovery, opened: Opened) -> dict[str, list[Arrival]]:
        """The files that were opened, by their logs; they leave `opened`."""
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
        """What was discovered has been taken in; whether a glob was looked at for the first time."""
        met = self._origins.keys() - discovery.late
        self._met |= met
        is_first = not met <= self.looked_before
        self.looked_before |= met
        return is_first

    def waiting(self) -> Iterator[Wanted]:
        """The files of which it is not known yet what they are, save for those that cannot be read."""
        return (each for inode, each in self._wanted.items() if inode not in self._failing)

    def unknown(self, inodes: set[Inode]) -> set[Inode]:
        """Those of these files."""
        return (inodes & self._wanted.keys()) - self._failing

    def recognised(self, inode: Inode) -> None:
        """It is known what this one is."""
        self._wanted.pop(inode, None)

    def fail(self, wanted: Wanted, error: OSError) -> None:
        """It cannot be read; what came behind it does not wait for it."""
        self._failing.add(wanted.inode)
        self._standing.changed.add(wanted.live)
        self._notices.failed(wanted.path, error.strerror)

    def is_fresh(self, arrival: Arrival) -> bool:
        """Whether it is perhaps just being compressed; what a glob leads to when this process begins is not."""
        wanted, reader = arrival.wanted, arrival.reader
        if not is_compressed(wanted.path) or (wanted.is_matched and wanted.origin.glob not in self._met):
            return False
        return time.time() - os.fstat(reader.fd).st_ctime < self.settling

    def _reader(self, wanted: Wanted, answer: int | OSError | None) -> Reader | None:
        """Of a file that was opened; None where nothing is to be read. Raises OSError."""
        if isinstance(answer, OSError):
            if isinstance(answer, FileNotFoundError) or is_shortage(answer):
                return None
            raise answer
        if answer is None or wanted.inode in self._chains.by_inode:
            return None
        reader = Reader(answer, wanted.path, wanted.origin.settings)
        if reader.inode != wanted.inode:  # the path led to another file by then
            self._standing.changed.add(wanted.live)
            return None
        return reader

    def _is_known(self, wanted: Wanted, *, is_roomy: bool) -> bool:
        """Whether a file need not be opened: one that is done or, where a glob leads to it, closed to make room."""
        file = wanted.file
        if file.inode in self._chains.by_inode or self._is_copy(file, wanted.live):
            return True
        resting = self._registry.resting(file)
        if resting is not None:
            is_done = resting.done and bool(resting.size)
            return is_done or (wanted.is_matched and not is_roomy)
        return not wanted.is_matched and is_excluded(uncompressed(file.path), wanted.origin.settings)

    def _is_copy(self, file: Sibling, live: str) -> bool:
        """Whether it holds what another file holds, which still does."""
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
