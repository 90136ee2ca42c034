"""How far each source is, in the words of a statement; and the last that is known of those that are gone.

In come followers and saved positions, out go standings. A source that is followed and remembered no longer is kept here
until somebody elsewhere knows what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logrouter.statement import SourceStatement
from shippers.input import Input
from shippers.inputs.discovery import Origin
from shippers.inputs.follower import Follower
from shippers.inputs.identity import Saved, shown


class Gone:
    """The sources that are gone. origins: what each glob belongs to."""

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self._origins = origins
        self._last: dict[str, SourceStatement] = {}

    def add(self, follower: Follower) -> None:
        """Keep the last that is known of a source."""
        if follower.source:
            self._last[follower.source] = _followed(follower)

    def forget(self, stated: Mapping[str, SourceStatement]) -> None:
        """These standings are known elsewhere."""
        self._last = {source: last for source, last in self._last.items() if stated.get(source) != last}

    def standings(self, followers: Iterable[Follower], known: Iterable[Saved]) -> list[SourceStatement]:
        """Of those that are gone, remembered and followed."""
        remembered = (
            _standing(saved, saved.confirmed, origin.settings if (origin := self._origins.get(saved.glob)) else None)
            for saved in known
        )
        return [*self._last.values(), *remembered, *(_followed(each) for each in followers if each.source)]


def _followed(follower: Follower) -> SourceStatement:
    return _standing(follower.state(), follower.chain.position, follower.origin.settings)


def _standing(saved: Saved, read: int, settings: Input | None) -> SourceStatement:
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
