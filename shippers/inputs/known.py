"""The saved positions that no open file has claimed: of files not met yet, and of those that were let go."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from shippers.inputs.content import Packed, Plain
from shippers.inputs.discovery import Stamp
from shippers.inputs.follower import Follower
from shippers.inputs.identity import Saved
from shippers.inputs.tree import Inode

REMEMBERED = 4096
"""Inodes whose positions are kept after their files were let go, in case they come back to where a glob leads."""


class Known:
    """Saved positions by inode, in the order in which they came; and the inodes of `empty` files, by path."""

    def __init__(self, files: Iterable[Saved], empty: Mapping[str, int]) -> None:
        self._empty = dict(empty)
        self._closed: dict[str, Stamp] = {}
        self._by_inode: dict[int, list[Saved]] = {}
        for saved in files:
            self._by_inode.setdefault(saved.inode, []).append(saved)

    def __iter__(self) -> Iterator[Saved]:
        return (saved for twins in self._by_inode.values() for saved in twins)

    def __contains__(self, saved: Saved) -> bool:
        return saved in self._by_inode.get(saved.inode, ())

    def unfinished(self) -> list[Saved]:
        """The positions of files that were not read to their end when they were saved."""
        return [saved for saved in self if not saved.done]

    def claim(self, follower: Follower) -> Saved | None:
        """The position of an open file, which is known no longer; None for a file that was never met.

        The device may have another number after a reboot, so the same inode at the same path will do as well.
        """
        found = [each for each in self._candidates(follower.inode, follower.path) if each.recognises(follower.content)]
        if not found and isinstance(follower.content, Packed):  # it is another file than the one that it was made of
            content, size = follower.content, os.fstat(follower.fd).st_size
            begun = [each for each in self._beside(follower.path) if each.begins(content)]  # few, and soon found
            found = [each for each in begun if not _is_at(each) and each.is_all_of(content, size)]
        for saved in found[:1]:
            self._remove(saved)
            return saved
        return None

    def _beside(self, path: str) -> list[Saved]:
        """Those of files in the same directory."""
        directory = os.path.dirname(path)  # noqa: PTH120  # paths are plain strings here
        return [saved for saved in self if os.path.dirname(saved.path) == directory and saved.confirmed]  # noqa: PTH120

    def claim_source(self, source: str) -> Saved | None:
        """The position of a segment of a spool, whose name tells its source; it is known no longer."""
        saved = next((saved for saved in self if saved.source == source), None)
        if saved is not None:
            self._remove(saved)
        return saved

    def forget(self, glob: str) -> None:
        """Drop all that were met by `glob`."""
        for saved in [saved for saved in self if saved.glob == glob]:
            self._remove(saved)

    def has(self, inode: Inode, path: str) -> bool:
        """Whether this file was there before, be it as it was or rewritten."""
        return bool(self._candidates(inode, path)) or self._empty.get(path) == inode[1]

    def keep(self, follower: Follower, stamp: Stamp) -> None:
        """It was closed with that stamp, to be opened again."""
        if follower.source:
            self._closed[follower.source] = stamp
            self._by_inode.setdefault(follower.inode[1], []).append(follower.state())
        else:
            self._empty[follower.path] = follower.inode[1]

    def closed(self, saved: Saved) -> Stamp | None:
        """The stamp with which a file was closed; None for one that was not."""
        return self._closed.get(saved.source)

    def has_closed(self, path: str) -> bool:
        """Whether what stands there is a file that was closed, to be opened again."""
        try:
            inode = os.stat(path).st_ino  # noqa: PTH116  # paths are plain strings here
        except OSError:
            return False
        return any(saved.source in self._closed for saved in self._by_inode.get(inode, ()))

    def empty(self, inodes: Collection[Inode]) -> dict[str, int]:
        """Which of these had no content when they were closed: the inode of each path."""
        closed = {inode for _, inode in inodes}
        return {path: inode for path, inode in self._empty.items() if inode in closed}

    def remember(self, saved: Saved) -> None:
        """Keep the position of a file that is done with; the oldest of such are forgotten for it if need be."""
        self._by_inode.setdefault(saved.inode, []).append(saved)
        if len(self._by_inode) > REMEMBERED:
            done = [inode for inode, twins in self._by_inode.items() if all(each.done for each in twins)]
            for inode in done[:-REMEMBERED]:
                del self._by_inode[inode]

    def give_up(self, saved: Saved) -> None:
        """The file was looked for in vain: keep its position, look no more."""
        self._remove(saved)
        self.remember(replace(saved, done=True))

    def _candidates(self, inode: Inode, path: str) -> list[Saved]:
        twins = self._by_inode.get(inode[1], ())
        return [saved for saved in twins if saved.device == inode[0] or saved.path == path]

    def _remove(self, saved: Saved) -> None:
        self._closed.pop(saved.source, None)
        twins = self._by_inode[saved.inode]
        twins.remove(saved)
        if not twins:
            del self._by_inode[saved.inode]


def _is_at(saved: Saved) -> bool:
    """Whether a file is where it was; another may have its inode by now."""
    try:
        fd = os.open(saved.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.fstat(fd).st_ino == saved.inode and saved.recognises(Plain(fd))
    except OSError:
        return False
    finally:
        os.close(fd)
