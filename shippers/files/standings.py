"""Makes statements of how far each source is, and keeps the last ones of sources that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logrouter.wire.statement import SourceStatement
from shippers.files.checkpoint import Checkpoint
from shippers.files.discovery import Origin
from shippers.files.fingerprint import shown
from shippers.files.generation import Generation
from shippers.input import Input


class SourceStatements:
    """The statements of all sources. origins: by glob.

    The last statement of a source that is gone is kept until `forget` is called with it, because it is known elsewhere.
    """

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self._origins = origins
        self._gone: dict[str, SourceStatement] = {}

    def add(self, generation: Generation) -> None:
        """Keep the last statement of a generation that is about to be closed."""
        if generation.source:
            self._gone[generation.source] = _of_open(generation)

    def forget(self, stated: Mapping[str, SourceStatement]) -> None:
        """Drop the sources that are gone and whose last statement is among these, which are known elsewhere."""
        self._gone = {source: last for source, last in self._gone.items() if stated.get(source) != last}

    def all(self, generations: Iterable[Generation], closed: Iterable[Checkpoint]) -> list[SourceStatement]:
        """Return the statements of sources that are gone, closed and open."""
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
