"""Keeps the generations that are not open: read to their end, waiting to be met again, or passed over at first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from shippers.files.checkpoint import Checkpoint
from shippers.files.fingerprint import NONE
from shippers.files.rotation import Sibling
from shippers.files.tree import Inode

REMEMBERED = 4096
"""How many generations that are done and in no file are kept, in case they come back."""


class Registry:
    """The checkpoints of the generations that are not open."""

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
        """The checkpoints of generations that are done: the same object as before while none of them has changed."""
        if self._finished is None:
            self._finished = [each for each in self if each.done]
        return self._finished

    def unfinished(self) -> list[Checkpoint]:
        """Return the checkpoints of generations that were not read to their end."""
        return [each for each in self if not each.done]

    def keep(self, saved: Checkpoint) -> None:
        if saved in self:
            return
        self._by_inode.setdefault(saved.inode, []).append(saved)
        self._by_log.setdefault(saved.live, {})[saved] = None
        if saved.done:
            self._finished = None

    def take(self, saved: Checkpoint) -> Checkpoint:
        """Remove a checkpoint and return it, because its generation is open now, or forgotten."""
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
        """Mark a generation as done that was searched for in vain. It is still recognised if it comes back."""
        self.keep(replace(self.take(saved), done=True))

    def keep_end(self, saved: Checkpoint) -> None:
        """Keep only the source and end of a generation whose content is gone, because another one came behind it.

        Nothing is recognised as such a generation. Only the last one of each log is kept.
        """
        for each in self.of_log(saved.live):
            if not (each.inode or each.prefix.length):
                self.take(each)
        end = replace(saved, device=0, inode=0, prefix=NONE, tail=NONE, size=-1, done=True)
        self.keep(end)
        self._absent[end] = None
        self._forget_oldest()

    def at(self, inode: Inode, path: str) -> list[Checkpoint]:
        """Return the checkpoints of an inode. A device may get another number at a reboot; then the path must match."""
        those = self._by_inode.get(inode[1], ())
        return [each for each in those if each.device == inode[0] or each.path == path]

    def of_log(self, live: str) -> list[Checkpoint]:
        return list(self._by_log.get(live, ()))

    def of_source(self, source: str) -> Checkpoint | None:
        return next((each for each in self if each.source == source), None)

    def resting(self, file: Sibling) -> Checkpoint | None:
        """Return the checkpoint of a file that has not changed since it was closed or passed over, or None."""
        stamp = (file.size, file.changed)
        return next((each for each in self.at(file.inode, file.path) if (each.size, each.changed) == stamp), None)

    def forget_excess(self, live: str, standing: Mapping[Inode, object]) -> None:
        """Note that these are all files of a log. Beyond REMEMBERED that are in no file, the oldest are forgotten."""
        for each in self.of_log(live):
            if each.done and (each.device, each.inode) not in standing:
                self._absent.setdefault(each)
            else:
                self._absent.pop(each, None)
        self._forget_oldest()

    def forget(self, glob: str) -> None:
        """Drop all checkpoints with this glob that were not read to their end."""
        for each in [each for each in self.unfinished() if each.glob == glob]:
            self.take(each)

    def _forget_oldest(self) -> None:
        while len(self._absent) > REMEMBERED:
            self.take(next(iter(self._absent)))
