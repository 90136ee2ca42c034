"""The generations that are not open: read to their end, waiting to be met again, or passed over at the first look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from shippers.files.checkpoint import Checkpoint
from shippers.files.fingerprint import NONE
from shippers.files.rotation import Sibling
from shippers.files.tree import Inode

REMEMBERED = 4096
"""Generations that are done and stand nowhere, which are kept in case they come back."""


class Registry:
    """Their checkpoints. finished: of those that are done; the same object as before while none has changed."""

    def __init__(self, saved: Iterable[Checkpoint], finished: Iterable[Checkpoint]) -> None:
        self._by_inode: dict[int, list[Checkpoint]] = {}
        self._by_log: dict[str, dict[Checkpoint, None]] = {}
        self._absent: dict[Checkpoint, None] = {}
        self._finished: Sequence[Checkpoint] | None = None
        for each in (*saved, *finished):
            self.keep(each)

    def __iter__(self) -> Iterator[Checkpoint]:
        return (each for those in self._by_log.values() for each in those)

    def __contains__(self, saved: Checkpoint) -> bool:
        return saved in self._by_log.get(saved.live, ())

    @property
    def finished(self) -> Sequence[Checkpoint]:
        """As above."""
        if self._finished is None:
            self._finished = [each for each in self if each.done]
        return self._finished

    def unfinished(self) -> list[Checkpoint]:
        """Those that were not read to their end."""
        return [each for each in self if not each.done]

    def keep(self, saved: Checkpoint) -> None:
        """Know it from now on."""
        if saved in self:
            return
        self._by_inode.setdefault(saved.inode, []).append(saved)
        self._by_log.setdefault(saved.live, {})[saved] = None
        if saved.done:
            self._finished = None

    def take(self, saved: Checkpoint) -> Checkpoint:
        """Know it no longer: it is open, or forgotten."""
        those, inodes = self._by_log[saved.live], self._by_inode[saved.inode]
        del those[saved]
        inodes.remove(saved)
        if not those:
            del self._by_log[saved.live]
        if not inodes:
            del self._by_inode[saved.inode]
        self._absent.pop(saved, None)
        if saved.done:
            self._finished = None
        return saved

    def give_up(self, saved: Checkpoint) -> None:
        """It was looked for in vain: look no more, but know it if it comes back."""
        self.keep(replace(self.take(saved), done=True))

    def keep_end(self, saved: Checkpoint) -> None:
        """Know where it ended, since another one came behind it; its content is gone, and nothing is recognised as it.

        Of each log the last one is known.
        """
        for each in self.of_log(saved.live):
            if not (each.inode or each.prefix.length):
                self.take(each)
        end = replace(saved, device=0, inode=0, prefix=NONE, tail=NONE, size=-1, done=True)
        self.keep(end)
        self._absent[end] = None
        self._forget_oldest()

    def at(self, inode: Inode, path: str) -> list[Checkpoint]:
        """Those of an inode. A device may have another number after a reboot: then it is to have the same path."""
        those = self._by_inode.get(inode[1], ())
        return [each for each in those if each.device == inode[0] or each.path == path]

    def of_log(self, live: str) -> list[Checkpoint]:
        """Those of a log."""
        return list(self._by_log.get(live, ()))

    def of_source(self, source: str) -> Checkpoint | None:
        """That of a source."""
        return next((each for each in self if each.source == source), None)

    def resting(self, file: Sibling) -> Checkpoint | None:
        """That of a file, if it has not changed since it was closed, or passed over."""
        stamp = (file.size, file.changed)
        return next((each for each in self.at(file.inode, file.path) if (each.size, each.changed) == stamp), None)

    def looked_through(self, live: str, standing: Mapping[Inode, object]) -> None:
        """These are all files of a log: of those that stand nowhere the oldest are forgotten if there are too many."""
        for each in self.of_log(live):
            if each.done and (each.device, each.inode) not in standing:
                self._absent.setdefault(each)
            else:
                self._absent.pop(each, None)
        self._forget_oldest()

    def forget(self, glob: str) -> None:
        """Drop all that were met by `glob` and not read to their end."""
        for each in [each for each in self.unfinished() if each.glob == glob]:
            self.take(each)

    def _forget_oldest(self) -> None:
        while len(self._absent) > REMEMBERED:
            self.take(next(iter(self._absent)))
