"""Many sources, each in order -> all of them in order, with some dozens open at a time.

A source is opened when the lines before its first one are through, and closed at its end. Where more of them overlap
than may be open, some are merged into a temporary file, which takes their place. So memory and open files have a bound
whatever the size of an archive, and most archives need no such file.
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

_MOST_OPEN, _IN_RESERVE = 64, 32
"""Files open at once where the system allows so many and some for all else."""


@dataclass(frozen=True, slots=True)
class SortedSource:
    """What is in order by its time.   first: a time that nothing in it is before."""

    first: str
    open: Callable[[], Iterator[StoredRecord]]


class _Begun(NamedTuple):
    """A source that is open.   next: what is due of it.   rest: what follows that.

    number: its place among all, which decides between equal times.   rank: how often its lines have been merged.
    """

    time: str
    number: int
    rank: int
    next: StoredRecord
    rest: Iterator[StoredRecord]


def in_order(sources: Sequence[SortedSource], most: int = 0) -> Iterator[StoredRecord]:
    """All of them by time; each source in its own order. Raises LogrouterError where there is no room to merge."""
    most = most or max(4, min(_MOST_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _IN_RESERVE))
    waiting = deque(sorted(enumerate(sources), key=lambda each: each[1].first))
    begun: list[_Begun] = []
    while waiting or begun:
        while waiting and (not begun or waiting[0][1].first <= begun[0].time):
            if len(begun) >= most:
                begun = _condensed(begun)
            number, source = waiting.popleft()
            _begin(begun, number, 0, source.open())
        if begun:
            yield begun[0].next
            _advance(begun)


def _begin(begun: list[_Begun], number: int, rank: int, items: Iterator[StoredRecord]) -> None:
    if (first := next(items, None)) is not None:
        heapq.heappush(begun, _Begun(first.time, number, rank, first, items))


def _advance(begun: list[_Begun]) -> None:
    """The first one's next is through."""
    _, number, rank, _, rest = begun[0]
    if (following := next(rest, None)) is not None:
        heapq.heapreplace(begun, _Begun(following.time, number, rank, following, rest))
    else:
        heapq.heappop(begun)


def _condensed(begun: Sequence[_Begun]) -> list[_Begun]:
    """With most of them merged into one: those that have been merged least often."""
    by_rank = sorted(begun, key=lambda each: each.rank)
    size = 3 * len(begun) // 4
    chosen, others = by_rank[:size], by_rank[size:]
    heapq.heapify(others)
    _begin(others, min(each.number for each in chosen), chosen[-1].rank + 1, _by_way_of_a_file(chosen))
    return others


def _by_way_of_a_file(chosen: Sequence[_Begun]) -> Iterator[StoredRecord]:
    """All of these, from a file that has no name and goes with its descriptor."""
    in_their_order = sorted(chosen, key=lambda each: each.number)
    merged = heapq.merge(*(itertools.chain([each.next], each.rest) for each in in_their_order), key=_time)
    directory = _directory_for_large_files()
    try:
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # closed by whoever reads it
        with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as packed:
            for each in merged:
                packed.write(b"%s\t%s\n" % (each.time.encode(), each.line))
        file.seek(0)
    except OSError as error:
        remedy = "set TMPDIR to a directory with room, or ask for less: --since, --until"
        problem = f"so many files cannot be merged in {directory}: {error.strerror}"
        raise LogrouterError(problem, remedy) from error
    return _read_back(file)


def _read_back(file: BinaryIO) -> Iterator[StoredRecord]:
    with file:
        for line in Zstd().reader(file):
            time, _, rest = line.rstrip(b"\n").partition(b"\t")
            yield StoredRecord(time.decode(), rest, None)


def _time(each: StoredRecord) -> str:
    return each.time


def _directory_for_large_files() -> str:
    """TMPDIR, else /var/tmp: /tmp may be in memory."""
    is_chosen = "TMPDIR" in os.environ or not os.access("/var/tmp", os.W_OK | os.X_OK)  # noqa: S108  # no name is used there
    return tempfile.gettempdir() if is_chosen else "/var/tmp"  # noqa: S108
