"""How far each source is, in the words of a statement; and the last that is known of those that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logrouter.wire.statement import SourceStatement
from shippers.files.checkpoint import Checkpoint
from shippers.files.discovery import Origin
from shippers.files.fingerprint import shown
from shippers.files.generation import Generation
from shippers.input import Input


class Standings:
    """A source that is gone is kept until somebody elsewhere knows what became of it. origins: of each glob."""

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self._origins = origins
        self._gone: dict[str, SourceStatement] = {}

    def add(self, generation: Generation) -> None:
        """Keep the last that is known of a source."""
        if generation.source:
            self._gone[generation.source] = _of_open(generation)

    def forget(self, stated: Mapping[str, SourceStatement]) -> None:
        """These standings are known elsewhere."""
        self._gone = {source: last for source, last in self._gone.items() if stated.get(source) != last}

    def all(self, generations: Iterable[Generation], closed: Iterable[Checkpoint]) -> list[SourceStatement]:
        """Of those that are gone, closed and open."""
        known = [
            _standing(saved, saved.confirmed, origin.settings if (origin := self._origins.get(saved.glob)) else None)
            for saved in closed
            if saved.source
        ]
        return [*self._gone.values(), *known, *(_of_open(each) for each in generations if each.source)]


def _of_open(generation: Generation) -> SourceStatement:
    return _standing(generation.checkpoint, generation.reader.position, generation.origin.settings)


def _standing(saved: Checkpoint, read: int, settings: Input | None) -> SourceStatement:
    return SourceStatement(
        source=saved.source,
        input=settings.name if settings else saved.glob,
        path=shown(saved.path),
        start=saved.start,
        read=read,
        confirmed=saved.confirmed,
        lines=saved.lines,
        since=saved.since,
        by_line=settings is not None and settings.joining is None,
    )
