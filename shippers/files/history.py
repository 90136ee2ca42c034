"""Decides which rotated files are history: older than anything followed of their log, or possibly of another log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shippers.files.checkpoint import Checkpoint
from shippers.files.generation import Generation
from shippers.files.log import Log
from shippers.files.recognition import is_rewritten
from shippers.files.registry import Registry
from shippers.files.rotation import Sibling, is_doubtful
from shippers.files.tree import Inode


@dataclass(frozen=True, slots=True)
class History:
    """The files and generations of one log, from which its history is derived.

    standing: its files, oldest first.   opened: the inodes of the open generations of all logs.
    empty: the inodes of files without content that an older version followed, which did not record the files that it
    passed over; None if the state is not of such a version.
    """

    log: Log
    standing: Mapping[Inode, Sibling]
    registry: Registry
    opened: Collection[Inode]
    empty: Collection[int] | None = None

    def older(self) -> frozenset[Inode]:
        """Return the files older than any known one, if an older version did not record those that it passed over."""
        if self.empty is None:
            return frozenset()
        files = list(self.standing)
        for place, (inode, file) in enumerate(self.standing.items()):
            if inode in self.opened or self.registry.at(inode, file.path) or inode[1] in self.empty:
                return frozenset(files[:place])
        return frozenset() if self.log.chain or self.registry.of_log(self.log.live) else frozenset(files)

    def has_rotated(self) -> bool:
        """Report whether the log is known to rotate.

        It is if its live file is another one, is missing or was truncated, or if a followed generation has a name such
        as `k.1.log`.
        """
        closed = self.registry.of_log(self.log.live)
        known: list[Generation | Checkpoint] = [*self.log.chain, *closed]
        live = next((each for each in self.standing.values() if each.path == self.log.live), None)
        is_new = live is None or not (live.inode in self.opened or self.registry.resting(live) is not None)
        is_cut = live is not None and any(each.at(live.inode) and each.confirmed > live.size for each in closed)
        is_moved = any(each.source and is_doubtful(each.path) for each in known)
        is_changed = is_new or is_cut or any(map(is_rewritten, self.log.chain))
        return is_moved or (is_changed and bool(known))
