"""Merges many sorted sources into one, with a bounded number of open files and bounded memory.

A source is opened when all lines before its first one have been merged, and closed at its end. If more sources overlap
than may be open, some of them are merged into a temporary file, which takes their place. Most archives need no such
file.
"""

from __future__ import annotations

import heapq
import itertools
import os
import resource
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import zstandard

from logrouter.destinations.archive.codec import Zstd
from logrouter.destinations.archive.reader import StoredRecord
from logrouter.errors import LogrouterError

_MAX_OPEN, _RESERVED = 64, 32
"""The most files open at once, and the file descriptors that are reserved for everything else."""


@dataclass(frozen=True, slots=True)
class SortedSource:
    """A source in the order of its time. first: a time that no record in it precedes."""

    first: str
    open: Callable[[], Iterator[StoredRecord]]


class _OpenSource(NamedTuple):
    """An open source. next: its first record that is not merged yet.   rest: the records after that.

    number: its place among all sources, which decides between equal times.   rank: how often its lines were merged.
    """

    time: str
    number: int
    rank: int
    next: StoredRecord
    rest: Iterator[StoredRecord]


def in_order(sources: Sequence[SortedSource], most: int = 0) -> Iterator[StoredRecord]:
    """Yield all records by time, those of each source in its own order.

    most: how many sources may be open; 0 for as many as the system allows. Raises LogrouterError if there is no space
    for a temporary file.
    """
    most = most or max(4, min(_MAX_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVED))
    waiting = deque(sorted(enumerate(sources), key=lambda each: each[1].first))
    opened: list[_OpenSource] = []
    while waiting or opened:
        while waiting and (not opened or waiting[0][1].first <= opened[0].time):
            if len(opened) >= most:
                opened = _with_most_merged(opened)
            number, source = waiting.popleft()
            _open(opened, number, 0, source.open())
        if opened:
            yield opened[0].next
            _advance(opened)


def _open(opened: list[_OpenSource], number: int, rank: int, items: Iterator[StoredRecord]) -> None:
    if (first := next(items, None)) is not None:
        heapq.heappush(opened, _OpenSource(first.time, number, rank, first, items))


def _advance(opened: list[_OpenSource]) -> None:
    """Move the first source on to its next record, or remove it at its end."""
    _, number, rank, _, rest = opened[0]
    if (following := next(rest, None)) is not None:
        heapq.heapreplace(opened, _OpenSource(following.time, number, rank, following, rest))
    else:
        heapq.heappop(opened)


def _with_most_merged(opened: Sequence[_OpenSource]) -> list[_OpenSource]:
    """Return the sources after merging three quarters of them, those merged least often so far, into one."""
    by_rank = sorted(opened, key=lambda each: each.rank)
    size = 3 * len(opened) // 4
    chosen, others = by_rank[:size], by_rank[size:]
    heapq.heapify(others)
    _open(others, min(each.number for each in chosen), chosen[-1].rank + 1, _merged_in_file(chosen))
    return others


def _merged_in_file(chosen: Sequence[_OpenSource]) -> Iterator[StoredRecord]:
    """Merge these sources into a temporary file without a name, and return an iterator over it."""
    in_their_order = sorted(chosen, key=lambda each: each.number)
    merged = heapq.merge(*(itertools.chain([each.next], each.rest) for each in in_their_order), key=_time)
    directory = _temporary_directory()
    try:
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # _read_back closes it
        with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as compressed:
            for each in merged:
                compressed.write(b"%s\t%s\n" % (each.time.encode(), each.line))
        file.seek(0)
    except OSError as error:
        remedy = "set TMPDIR to a directory with more space, or read less with --since and --until"
        problem = f"cannot merge so many files in {directory}: {error.strerror}"
        raise LogrouterError(problem, remedy) from error
    return _read_back(file)


def _read_back(file: BinaryIO) -> Iterator[StoredRecord]:
    with file:
        for line in Zstd().reader(file):
            time, _, rest = line.rstrip(b"\n").partition(b"\t")
            yield StoredRecord(time.decode(), rest, None)


def _time(each: StoredRecord) -> str:
    return each.time


def _temporary_directory() -> str:
    """Return TMPDIR, else /var/tmp, because /tmp may be in memory."""
    is_chosen = "TMPDIR" in os.environ or not os.access("/var/tmp", os.W_OK | os.X_OK)  # noqa: S108  # the file has no name
    return tempfile.gettempdir() if is_chosen else "/var/tmp"  # noqa: S108
