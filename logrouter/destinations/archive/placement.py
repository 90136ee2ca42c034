"""Which file each record goes to, and in what order: windows become bytes for each path.

In come windows of slices, out goes for each path what is to be appended. Pure: nothing is opened here. A slice whose
records all go to one file stays the bytes that it came in; only where parts of a window that reach into each other meet
again in one file are they taken apart into lines and merged by position.
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
class Filed:
    """What is to be appended to one path: chunks in order, how many records they hold, and the day in the path."""

    day: str
    chunks: list[bytes] = field(default_factory=list)
    records: int = 0


@dataclass(frozen=True, slots=True)
class Filing:
    """How records are filed: the path template, NDJSON or the original lines, and the zone whose days count."""

    template: str
    text: bool = False
    zone: tzinfo = UTC

    def file(self, windows: Sequence[Window]) -> dict[str, Filed]:
        """What these windows append, by path."""
        filed: dict[str, Filed] = {}
        for window in windows:
            self._file_window(window, filed)
        return filed

    def _file_window(self, window: Window, filed: dict[str, Filed]) -> None:
        together: dict[str, list[Slice]] = {}
        for whole in window:
            for day, piece in self._by_day(whole):
                path = path_of(self.template, Names(piece.service, piece.host, piece.severity, day))
                together.setdefault(path, []).append(piece)
                if path not in filed:
                    filed[path] = Filed(day if is_dated(self.template) else "")
        for path, pieces in together.items():
            target = filed[path]
            target.records += sum(map(len, pieces))
            for those in _meeting(pieces):
                if len(those) == 1 and not self.text:
                    target.chunks.append(those[0].body)
                else:
                    target.chunks.append(_merged(those, text=self.text))

    def _by_day(self, piece: Slice) -> list[tuple[str, Slice]]:
        first, last = self._day(piece.first / 1000), self._day(piece.last / 1000)
        if first == last:
            return [(first, piece)]
        days = [self._day(datetime.fromisoformat(time).timestamp()) for time in piece.filed_at()]
        cut = ((day, piece.select([other == day for other in days])) for day in sorted(set(days)))
        return [(day, part) for day, part in cut if part is not None]

    def _day(self, seconds: float) -> str:
        return datetime.fromtimestamp(seconds, self.zone).date().isoformat()


def _meeting(pieces: Sequence[Slice]) -> list[list[Slice]]:
    """The pieces by position: those together that reach into each other. Logs come in bursts, and many do not."""
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
    """The lines of all pieces by position: records of one window never overlap.

    By a dict of lines and a sort of bare integers, which come in runs; `_sorted` says the same for records of any kind.
    """
    if not text:
        lines: dict[int, bytes] = {}
        for piece in pieces:
            lines.update(zip([place.pos for place in piece.places], piece.body.split(b"\n"), strict=False))
        if len(lines) == sum(map(len, pieces)):  # else two of a broken window have one position
            return b"\n".join(map(lines.__getitem__, sorted(lines))) + b"\n"
    return _sorted(pieces, text=text)


def _sorted(pieces: Sequence[Slice], *, text: bool) -> bytes:
    placed = chain.from_iterable(
        zip((place.pos for place in piece.places), _lines(piece, text=text), strict=True) for piece in pieces
    )
    return b"".join(line for _, line in sorted(placed, key=itemgetter(0)))


def _lines(piece: Slice, *, text: bool) -> list[bytes]:
    return [original(record) for record in piece.records()] if text else piece.lines()
