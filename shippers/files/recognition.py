"""Which generation of a log a file is: by what it holds, and never by where it stands or what its times say.

Device and inode only say what to compare first. What nothing recognises is new, and is read from its start: better
twice than lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Packed, Rewritten
from shippers.files.discovery import Wanted
from shippers.files.fingerprint import NONE, PREFIX, TAIL, WHOLE, Mark
from shippers.files.generation import Generation
from shippers.files.log import Copy
from shippers.files.reader import Reader
from shippers.files.registry import Registry
from shippers.files.rotation import Sibling, log_beside, uncompressed
from shippers.files.tree import Inode
from shippers.input import is_compressed

_SAMPLE = 64 << 10
"""Bytes at the end of a copy that are compared with what it may be a copy of; of a packed one, at its beginning."""

_UNPACKED = 64 << 20
"""Bytes that are unpacked at once, at most, to tell whether a file is a copy."""


class Unclear(NamedTuple):
    """A file that may be what another one is, which is to be opened first."""


Recognised = Checkpoint | Generation | Copy | Unclear
"""A closed generation, which is gone on with; or an open one, which goes on in this file; or one of the above."""


@dataclass(slots=True)
class Recognition:
    """Of the files of one log.

    chain: its open generations.   standing: all its files.   unknown: those of them that are still to be opened.
    """

    live: str
    chain: list[Generation]
    registry: Registry
    standing: Mapping[Inode, Sibling]
    unknown: Collection[Inode]
    _claimed: list[Checkpoint] = field(default_factory=list)

    def by_inode(self, file: Sibling, reader: Reader, older: Sequence[Reader]) -> Checkpoint | None:
        """What it is by its inode and what it holds: a file that was not open for a while.

        older: files that came before it. Where one of them may be the same, and is no copy, the inode was freed.
        """
        for saved in self.registry.at(file.inode, file.path):
            if saved not in self._claimed and _holds(saved, reader) and not self._is_another(saved, reader, older):
                return self._claim(saved)
        return None

    def _is_another(self, saved: Checkpoint, reader: Reader, older: Sequence[Reader]) -> bool:
        """Whether a file that holds what was read may as well be a later one, or one of another log."""
        if saved.live != self.live and any(_holds(each, reader) for each in self.registry.of_log(self.live)):
            return True
        return not all(_begins_as(each, reader) for each in older if _holds(saved, each))

    def by_content(self, file: Sibling, reader: Reader) -> Recognised | None:
        """What it is by what it holds alone; None for what is new."""
        found = _surest([each for each in self._candidates(file) if _holds(each, reader)], reader)
        return self._of_open(file, reader) if found is None else self._of_closed(found, file, reader)

    def alike(self, file: Sibling, reader: Reader) -> str:
        """The path of another generation that has just as much, and began and ended alike; '' for none."""
        closed = [(each, each.size) for each in self.registry.of_log(self.live) if each.done]
        opened = [(each.checkpoint, each.size_now()) for each in self.chain if each.source]
        those = (each for each, size in closed + opened if each.confirmed and size == file.size)
        return next((each.path for each in those if _holds(each, reader)), "")

    def _of_closed(self, found: Checkpoint, file: Sibling, reader: Reader) -> Recognised | None:
        inode = (found.device, found.inode)
        if inode in self.unknown:
            return Unclear()
        if not found.rests_in(self.standing):
            return self._claim(found)
        return _copy(file, inode) if self._may_be_copied(found.path, file) and _holds_all(found, reader) else None

    def _of_open(self, file: Sibling, reader: Reader) -> Recognised | None:
        for each in self.chain if file.size else ():
            there = self.standing.get(each.inode)
            if each.source and _holds(each.checkpoint, reader):
                if each.rewritten_at is not None or self._is_replaced(each, file, reader):
                    return each
                may_be = there is None or self._may_be_copied(there.path, file)
                if may_be and _is_copy(reader, file.size, each):
                    return _copy(file, each.inode)
                if is_rewritten(each):
                    return each
            elif (
                there is None and each.size_now() and _is_copy(reader, file.size, each)
            ):  # nobody has looked at that yet
                return _copy(file, each.inode)
        return None

    def _claim(self, saved: Checkpoint) -> Checkpoint:
        self._claimed.append(saved)
        return saved

    def _candidates(self, file: Sibling) -> Iterator[Checkpoint]:
        """Those of the log that no file was found to be; first what was where the file is, then what was read most."""
        those = [each for each in self.registry.of_log(self.live) if each not in self._claimed]
        yield from sorted(those, key=lambda each: (each.path != file.path, -each.confirmed, each.since))

    def _may_be_copied(self, path: str, file: Sibling) -> bool:
        """Whether rotation may have copied what stands there: the live file, or one that was then compressed.

        Two other files of a log that hold the same are two generations: better twice than lost.
        """
        return path == self.live or uncompressed(path) == uncompressed(file.path)

    def _is_replaced(self, generation: Generation, file: Sibling, reader: Reader) -> bool:
        """Whether a file has taken the place of one that stands no longer, and holds all of it."""
        is_whole = not isinstance(reader.content, Packed) and file.size >= generation.size_now()
        return is_whole and generation.inode not in self.standing


def _copy(file: Sibling, of: Inode) -> Copy:
    return Copy(of, file.size, file.changed)


def passed_over(wanted: Wanted, reader: Reader) -> Checkpoint:
    """What is kept of a file that is not to be read, so that it is known when it was renamed, compressed, or grows.

    Where a packed one ends is not known.
    """
    file, prefix, tail, end = wanted.file, Mark.of(reader.content.read(PREFIX, 0)), NONE, 0
    if not isinstance(reader.content, Packed):
        end = file.size
        tail = Mark.of(reader.content.read(min(TAIL, end), max(0, end - TAIL)))
    return Checkpoint(
        "",
        file.path,
        *file.inode,
        start=end,
        confirmed=end,
        glob=wanted.origin.glob,
        prefix=prefix,
        tail=tail,
        done=True,
        size=file.size,
        changed=file.changed,
        log=log_beside(file.path, wanted.live),
    )


def _holds(saved: Checkpoint, reader: Reader) -> bool:
    """Whether a file holds what was read; of a packed one its beginning will do, if the rest takes long to unpack."""
    try:
        if isinstance(reader.content, Packed) and saved.confirmed > WHOLE:
            return saved.begins(reader.content)
        return saved.recognises(reader.content)
    except Rewritten:
        return False


def _holds_all(saved: Checkpoint, reader: Reader) -> bool:
    """Whether also a packed file holds what was read, and does not only begin like it."""
    is_proven = not isinstance(reader.content, Packed) or saved.confirmed > _UNPACKED
    return is_proven or saved.tail.ends_at(saved.confirmed, reader.content)


def _surest(found: list[Checkpoint], reader: Reader) -> Checkpoint | None:
    """Of several that a packed file begins like the one that it holds; it has to be unpacked to tell."""
    if len(found) > 1 and isinstance(reader.content, Packed):
        found = [each for each in found if each.tail.ends_at(each.confirmed, reader.content)]
    return found[0] if found else None


def _is_copy(reader: Reader, size: int, of: Generation) -> bool:
    """Whether a file is a copy of one that is open, or of its beginning."""
    if isinstance(reader.content, Packed):
        return _begins_as(reader, of.reader)
    if size > of.size_now():
        return False
    count = min(size, _SAMPLE)
    return reader.content.read(count, size - count) == of.reader.content.read(count, size - count)


def _begins_as(one: Reader, other: Reader) -> bool:
    """Whether all that one holds is how the other begins, as far as it is looked at."""
    try:
        return other.content.read(_SAMPLE, 0).startswith(one.content.read(_SAMPLE, 0))
    except Rewritten:
        return False


def is_rewritten(generation: Generation) -> bool:
    """Whether its file does not hold any more what was read, noticed or not."""
    return generation.is_rewritten or not _holds(generation.checkpoint, generation.reader)


def is_unchanged(saved: Checkpoint, file: Sibling) -> bool:
    """Whether nobody wrote to a generation that is done before it was renamed, copied or compressed into this file.

    Who copies or compresses keeps the time of the last change, some to the microsecond, some to the second.
    """
    is_of_size = saved.size == file.size
    is_of_time = abs(saved.changed - file.changed) < 10**3 or saved.changed // 10**9 * 10**9 == file.changed
    if is_compressed(file.path):
        return saved.done and is_of_time
    return saved.done and is_of_size and (is_of_time or not saved.source)
