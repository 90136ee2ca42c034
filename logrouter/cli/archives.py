"""Reads archives back: yields the records of all archive files of a configuration, in the order of their time.

The rules tell where the archives are. Files are merged by time, and each keeps its own order. Of a damaged file, the
part before the damage is read, and an event names the file.
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

_SKIPPED = "lost+found"
"""A directory at the root of many file systems that only root may read. Archives never use this name: a `+` in a name
is written `%2B`."""


@dataclass(slots=True)
class ArchiveDirectory:
    """A directory with archives. records, texts: the path templates of its archives of records and of plain text."""

    records: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def holds_records(self, path: str) -> bool:
        """Report whether the file at `path` (without its segment) holds records.

        It does unless the path fits a template of `texts` and none of `records`.
        """
        return not self._is_any(self.texts, path) or self._is_any(self.records, path)

    @staticmethod
    def _is_any(templates: Sequence[str], path: str) -> bool:
        return any(_pattern(template).fullmatch(path) for template in templates)


class Archives:
    """The selected records of all archives of a configuration. outcome: whether all files could be read."""

    def __init__(self, places: dict[Path, ArchiveDirectory], selection: RecordFilter) -> None:
        self.outcome = Outcome()
        self._places = places
        self._selection = selection

    def __iter__(self) -> Iterator[Record]:
        sources = [
            SortedSource(first_time(paths[0]), partial(read_segments, paths, self._selection, self.outcome))
            for base, place in self._places.items()
            if place.records
            for paths in self._files(base, place)
        ]
        return (each.decoded or record_of(each.line) for each in in_order(sources))

    def _files(self, base: Path, place: ArchiveDirectory) -> list[list[Path]]:
        """Return the files of each path, in the order of their segments, except those last written before `since`."""
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
            below[:] = [name for name in below if name != _SKIPPED and here / name not in self._places]
            known = set(names)
            for name in names:
                if ".torn-" in name or name.endswith(".new") or twin_name(name) in known:
                    continue  # a file with an open twin is being finished, and the twin has all of its records
                try:
                    status = (here / name).stat()
                except OSError:
                    yield here / name  # because opening it will report the error
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_mtime >= since:
                    yield here / name

    def _closed(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.outcome.unreadable(Path(error.filename), error)


def archive_records(rules: Path | None, state: Path | None, selection: RecordFilter) -> Archives:
    """Return the selected records. Raises ConfigError for rules that do not load."""
    config = load_rules([locations.rules_path(rules)])
    return Archives(
        archive_directories(config, locations.archive_directory(locations.state_directory(state))), selection
    )


def archive_directories(config: RuleConfig, default: Path) -> dict[Path, ArchiveDirectory]:
    """Return the archive directories by path. `default` is the directory of archives that name none."""
    places: dict[Path, ArchiveDirectory] = {}
    for model in config.destinations.values():
        if isinstance(model, ArchiveModel):
            place = places.setdefault((Path(model.dir) if model.dir else default).absolute(), ArchiveDirectory())
            (place.records if model.format == "ndjson" else place.texts).append(model.path)
    return places


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, PLACEHOLDER.split(str(PurePosixPath(template)))[::2])))
