"""Archives read back: the records of all files under the archives of a configuration, in the order of their time.

Rules (for where archives are) and a selection arrive, records leave. Each file's own order is kept; files are merged by
time. A file that is damaged gives what is readable before the damage, and is named.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from logrouter.app import locations
from logrouter.cli.merge import SortedSource, in_order
from logrouter.config.destinations import ArchiveModel
from logrouter.config.rules import RuleConfig, load_rules
from logrouter.config.templates import PLACEHOLDER
from logrouter.destinations.archive.path_template import segment_of, twin_name
from logrouter.destinations.archive.reader import Outcome, first_time, read_segments, record_of
from logrouter.wire.record import Record
from logrouter.wire.record_filter import RecordFilter

_NOT_OURS = "lost+found"
"""At the root of many file systems, and closed. A `+` of a name of ours is written `%2B`."""


@dataclass(slots=True)
class ArchiveDirectory:
    """A directory with archives: the path templates of those with records, and of those with plain text."""

    records: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def holds_records(self, path: str) -> bool:
        """Whether a file there, by its path without segment, is of records: all are that could not be of text."""
        return not self._is_any(self.texts, path) or self._is_any(self.records, path)

    @staticmethod
    def _is_any(templates: Sequence[str], path: str) -> bool:
        return any(_pattern(template).fullmatch(path) for template in templates)


class Archives:
    """The archives of a configuration.   outcome: how the reading of them goes."""

    def __init__(self, places: dict[Path, ArchiveDirectory], selection: RecordFilter) -> None:
        self.outcome = Outcome()
        self._places = places
        self._selection = selection

    def __iter__(self) -> Iterator[Record]:
        """The records that are selected."""
        sources = [
            SortedSource(first_time(paths[0]), partial(read_segments, paths, self._selection, self.outcome))
            for base, place in self._places.items()
            if place.records
            for paths in self._files(base, place)
        ]
        return (each.decoded or record_of(each.line) for each in in_order(sources))

    def _files(self, base: Path, place: ArchiveDirectory) -> list[list[Path]]:
        """The files of each path, the first segment first, without those last written before the selection begins."""
        since = datetime.fromisoformat(f"{self._selection.since}Z").timestamp() if self._selection.since else 0.0
        found: dict[str, list[tuple[int, Path]]] = {}
        for path in self._regular_files(base, since):
            first, segment = segment_of(str(path.relative_to(base)))
            if place.holds_records(first):
                found.setdefault(first, []).append((segment, path))
        return [[path for _, path in sorted(found[first])] for first in sorted(found)]

    def _regular_files(self, base: Path, since: float) -> Iterator[Path]:
        for directory, below, names in os.walk(base, onerror=self._closed):
            here = Path(directory)
            below[:] = [name for name in below if name != _NOT_OURS and here / name not in self._places]
            known = set(names)
            for name in names:
                if ".torn-" in name or name.endswith(".new") or twin_name(name) in known:
                    continue  # of twins the open file has all of it: it is just being finished
                try:
                    status = (here / name).stat()
                except OSError:
                    yield here / name  # whoever opens it says what is wrong
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_mtime >= since:
                    yield here / name

    def _closed(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.outcome.unreadable(Path(error.filename), error)


def archive_records(rules: Path | None, state: Path | None, selection: RecordFilter) -> Archives:
    """The records that are selected. Raises ConfigError for rules that do not load."""
    config = load_rules([locations.rules_path(rules)])
    return Archives(archive_places(config, locations.archive_directory(locations.state_directory(state))), selection)


def archive_places(config: RuleConfig, default: Path) -> dict[Path, ArchiveDirectory]:
    """Where archives are; those of plain text alone hold no records, and are there for their templates."""
    places: dict[Path, ArchiveDirectory] = {}
    for model in config.destinations.values():
        if isinstance(model, ArchiveModel):
            place = places.setdefault((Path(model.dir) if model.dir else default).absolute(), ArchiveDirectory())
            (place.records if model.format == "ndjson" else place.texts).append(model.path)
    return places


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, PLACEHOLDER.split(str(PurePosixPath(template)))[::2])))
