"""Sorts records by archive file: turns windows into the bytes to append to each path. Pure: no file is opened.

A slice whose records all go to one file keeps the bytes that it came in. Parts of a window are split into lines and
merged by position only if they go to the same file and their positions overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import chain
from operator import itemgetter

from logrouter.config.templates import is_dated
from logrouter.destinations.archive.path_template import Names, path_of
from logrouter.destinations.contract import Window
from logrouter.wire.record import original
from logrouter.wire.slices import Slice


@dataclass(slots=True)
class Placed:
    """What is to be appended to one path.

    day: the day in the path, '' if it has none.   chunks: bytes in order.   records: how many the chunks hold.
    """

    day: str
    chunks: list[bytes] = field(default_factory=list)
    records: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """How records are filed.

    template: the path template.
    text: append the original lines, not NDJSON.
    zone: the time zone whose days count.
    """

    template: str
    text: bool = False
    zone: tzinfo = UTC

    def file(self, windows: Sequence[Window]) -> dict[str, Placed]:
        """Return what these windows append, by path."""
        filed: dict[str, Placed] = {}
        for window in windows:
            self._file_window(window, filed)
        return filed

    def _file_window(self, window: Window, filed: dict[str, Placed]) -> None:
        together: dict[str, list[Slice]] = {}
        for whole in window:
            for day, piece in self._by_day(whole):
                path = path_of(self.template, Names(piece.service, piece.host, piece.severity, day))
                together.setdefault(path, []).append(piece)
                if path not in filed:
                    filed[path] = Placed(day if is_dated(self.template) else "")
        for path, pieces in together.items():
            target = filed[path]
            target.records += sum(map(len, pieces))
            for group in _overlapping(pieces):
                if len(group) == 1 and not self.text:
                    target.chunks.append(group[0].body)
                else:
                    target.chunks.append(_merged(group, text=self.text))

    def _by_day(self, piece: Slice) -> list[tuple[str, Slice]]:
        first, last = self._day(piece.first / 1000), self._day(piece.last / 1000)
        if first == last:
            return [(first, piece)]
        days = [self._day(datetime.fromisoformat(time).timestamp()) for time in piece.filed_at()]
        cut = ((day, piece.select([other == day for other in days])) for day in sorted(set(days)))
        return [(day, part) for day, part in cut if part is not None]

    def _day(self, seconds: float) -> str:
        return datetime.fromtimestamp(seconds, self.zone).date().isoformat()


def _overlapping(pieces: Sequence[Slice]) -> list[list[Slice]]:
    """Return the pieces by position, in groups whose spans overlap. Logs come in bursts, so many do not overlap."""
    found: list[list[Slice]] = []
    end = -1
    for piece in sorted(pieces, key=_first) if len(pieces) > 1 else pieces:
        if piece.places[0].pos >= end:
            found.append([])
        found[-1].append(piece)
        end = max(end, piece.places[-1].end)
    return found


def _first(piece: Slice) -> int:
    return piece.places[0].pos


def _merged(pieces: Sequence[Slice], *, text: bool) -> bytes:
    """Return the lines of all pieces by position. The records of one window never overlap.

    The fast way is a dict of lines and a sort of plain integers, which come in runs. `_sorted` gives the same result,
    and also handles original lines and positions that occur twice.
    """
    if not text:
        lines: dict[int, bytes] = {}
        for piece in pieces:
            lines.update(zip([place.pos for place in piece.places], piece.body.split(b"\n"), strict=False))
        if len(lines) == sum(map(len, pieces)):  # else two records of a broken window have the same position
            return b"\n".join(map(lines.__getitem__, sorted(lines))) + b"\n"
    return _sorted(pieces, text=text)


def _sorted(pieces: Sequence[Slice], *, text: bool) -> bytes:
    placed = chain.from_iterable(
        zip((place.pos for place in piece.places), _lines(piece, text=text), strict=True) for piece in pieces
    )
    return b"".join(line for _, line in sorted(placed, key=itemgetter(0)))


def _lines(piece: Slice, *, text: bool) -> list[bytes]:
    return [original(record) for record in piece.records()] if text else piece.lines()
