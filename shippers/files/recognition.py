"""Recognises which generation of a log a file holds: by its content, never by its path or times.

Device and inode only decide what is compared first. A file that is not recognised is new and is read from its start:
it is better to read lines twice than to lose them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Decoded, Rewritten
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
"""Bytes of a possible copy that are compared with its original: at its end, or if it is compressed at its beginning."""

_MAX_DECOMPRESSED = 64 << 20
"""Bytes that are decompressed at once, at most, to find out whether a file is a copy."""


class Unclear(NamedTuple):
    """The file may hold the same generation as another file, which has to be opened first."""


Recognised = Checkpoint | Generation | Copy | Unclear
"""A closed generation to continue, an open one that continues in this file, a copy, or not clear yet."""


@dataclass(slots=True)
class Recognition:
    """The recognition of the files of one log.

    chain: its open generations.   standing: all its files.   unknown: the inodes of those that are still to be opened.
    """

    live: str
    chain: list[Generation]
    registry: Registry
    standing: Mapping[Inode, Sibling]
    unknown: Collection[Inode]
    _claimed: list[Checkpoint] = field(default_factory=list)

    def by_inode(self, file: Sibling, reader: Reader, older: Sequence[Reader]) -> Checkpoint | None:
        """Recognise a file that was not open for a while, by its inode and content. Return None if that fails.

        older: the files that came before it. If one of them may be the same generation and is not a copy of this file,
        the inode was freed and used again.
        """
        for saved in self.registry.at(file.inode, file.path):
            if saved not in self._claimed and _holds(saved, reader) and not self._is_another(saved, reader, older):
                return self._claim(saved)
        return None

    def _is_another(self, saved: Checkpoint, reader: Reader, older: Sequence[Reader]) -> bool:
        """Report whether a file that holds what was read may still be a later generation, or one of another log."""
        if saved.live != self.live and any(_holds(each, reader) for each in self.registry.of_log(self.live)):
            return True
        return not all(_begins_as(each, reader) for each in older if _holds(saved, each))

    def by_content(self, file: Sibling, reader: Reader) -> Recognised | None:
        """Recognise a file by its content alone. Return None if it is new."""
        found = _best_match([each for each in self._candidates(file) if _holds(each, reader)], reader)
        return self._of_open(file, reader) if found is None else self._of_closed(found, file, reader)

    def alike(self, file: Sibling, reader: Reader) -> str:
        """Return the path of another generation with the same size, beginning and end, or '' if there is none."""
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
            ):  # its content has not been looked at yet
                return _copy(file, each.inode)
        return None

    def _claim(self, saved: Checkpoint) -> Checkpoint:
        self._claimed.append(saved)
        return saved

    def _candidates(self, file: Sibling) -> Iterator[Checkpoint]:
        """Yield the log's closed generations that no file was recognised as.

        Those that were at the file's path come first, then those of which most was read, then the oldest.
        """
        those = [each for each in self.registry.of_log(self.live) if each not in self._claimed]
        yield from sorted(those, key=lambda each: (each.path != file.path, -each.confirmed, each.since))

    def _may_be_copied(self, path: str, file: Sibling) -> bool:
        """Report whether rotation may have copied the file at `path`: it is the live file, or was then compressed.

        Any other two files of a log with the same content are two generations: better read twice than lost.
        """
        return path == self.live or uncompressed(path) == uncompressed(file.path)

    def _is_replaced(self, generation: Generation, file: Sibling, reader: Reader) -> bool:
        """Report whether a file has replaced one that no longer exists, and holds all of it."""
        is_whole = not isinstance(reader.content, Decoded) and file.size >= generation.size_now()
        return is_whole and generation.inode not in self.standing


def _copy(file: Sibling, of: Inode) -> Copy:
    return Copy(of, file.size, file.changed)


def passed_over(wanted: Wanted, reader: Reader) -> Checkpoint:
    """Return the checkpoint of a file that is not read, so that it is known once it is renamed, compressed or grows.

    The checkpoint of a compressed file has no tail, because where its content ends is not known.
    """
    file, prefix, tail, end = wanted.file, Mark.of(reader.content.read(PREFIX, 0)), NONE, 0
    if not isinstance(reader.content, Decoded):
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
    """Report whether a file holds what was read. The beginning is enough for a compressed file of more than WHOLE."""
    try:
        if isinstance(reader.content, Decoded) and saved.confirmed > WHOLE:
            return saved.begins(reader.content)
        return saved.recognises(reader.content)
    except Rewritten:
        return False


def _holds_all(saved: Checkpoint, reader: Reader) -> bool:
    """Report whether a compressed file, too, holds all that was read, and does not only begin like it."""
    is_proven = not isinstance(reader.content, Decoded) or saved.confirmed > _MAX_DECOMPRESSED
    return is_proven or saved.tail.ends_at(saved.confirmed, reader.content)


def _best_match(found: list[Checkpoint], reader: Reader) -> Checkpoint | None:
    """Return the first of these that the file holds. A compressed file that begins like several is decompressed."""
    if len(found) > 1 and isinstance(reader.content, Decoded):
        found = [each for each in found if each.tail.ends_at(each.confirmed, reader.content)]
    return found[0] if found else None


def _is_copy(reader: Reader, size: int, of: Generation) -> bool:
    """Report whether a file is a copy of an open generation, or of its beginning."""
    if isinstance(reader.content, Decoded):
        return _begins_as(reader, of.reader)
    if size > of.size_now():
        return False
    count = min(size, _SAMPLE)
    return reader.content.read(count, size - count) == of.reader.content.read(count, size - count)


def _begins_as(one: Reader, other: Reader) -> bool:
    """Report whether `other` begins with all that `one` holds, as far as the first _SAMPLE bytes show."""
    try:
        return other.content.read(_SAMPLE, 0).startswith(one.content.read(_SAMPLE, 0))
    except Rewritten:
        return False


def is_rewritten(generation: Generation) -> bool:
    """Report whether its file no longer holds what was read, whether that was noticed before or not."""
    return generation.is_rewritten or not _holds(generation.checkpoint, generation.reader)


def is_unchanged(saved: Checkpoint, file: Sibling) -> bool:
    """Report whether a generation that is done has not changed, except that it was renamed, copied or compressed.

    Programs that copy or compress a file keep its modification time, some to the microsecond, some to the second.
    """
    is_of_size = saved.size == file.size
    is_of_time = abs(saved.changed - file.changed) < 10**3 or saved.changed // 10**9 * 10**9 == file.changed
    if is_compressed(file.path):
        return saved.done and is_of_time
    return saved.done and is_of_size and (is_of_time or not saved.source)
