"""Archives read back: the records of all files under the archives of a configuration, in the order of their time.

In come rules (for where archives are) and a selection, out come records. Each file's own order is kept; files are
merged by time. A file that is damaged gives what is readable before the damage, and is named.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from logrouter.cli import options
from logrouter.cli.selecting import Selection, filing_time
from logrouter.config.destinations import ArchiveModel
from logrouter.config.rules import RuleConfig, load_rules
from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.naming import segment_of, twin_name
from logrouter.errors import WireError
from logrouter.observe import events
from logrouter.record import Record, decode_lines

_CHUNK = 1 << 20


def archive_records(rules: Path | None, state: Path | None, selection: Selection) -> Iterator[Record]:
    """The records that are selected. Raises ConfigError for rules that do not load."""
    config = load_rules([options.rules_path(rules)])
    default = options.archive_directory(options.state_directory(state))
    files = [path for base in archive_directories(config, default) for path in archive_files(base, selection)]
    return heapq.merge(*(_selected(path, selection) for path in files), key=filing_time)


def archive_directories(config: RuleConfig, default: Path) -> list[Path]:
    """The directories of NDJSON archives, each once; archives of plain text hold no records."""
    models = (model for model in config.destinations.values() if isinstance(model, ArchiveModel))
    found = [Path(model.dir) if model.dir else default for model in models if model.format == "ndjson"]
    return list(dict.fromkeys(found))


def archive_files(base: Path, selection: Selection) -> list[Path]:
    """The archive's files, without those last written before the selection begins."""
    since = datetime.fromisoformat(f"{selection.since}Z") if selection.since else None
    found = []
    for path in sorted(base.rglob("*"), key=lambda path: segment_of(str(path))):
        if ".torn-" in path.name or path.name.endswith(".new") or not path.is_file():
            continue
        if path.with_name(twin_name(path.name)).exists():
            continue  # it is just being finished: the open file has all of it
        if since is None or datetime.fromtimestamp(path.stat().st_mtime, UTC) >= since:
            found.append(path)
    return found


def _selected(path: Path, selection: Selection) -> Iterator[Record]:
    return (record for record in read_file(path) if selection.takes(record))


def read_file(path: Path) -> Iterator[Record]:
    """The records of one file, as far as it can be read; damage is an event."""
    try:
        with path.open("rb") as file:
            content = codec_for(path.name).reader(file)
            rest = b""
            while chunk := content.read(_CHUNK):
                whole, newline, rest = (rest + chunk).rpartition(b"\n")
                yield from decode_lines(whole + newline)
            yield from decode_lines(rest)
    except (OSError, EOFError, WireError) as error:
        events.ARCHIVE_UNREADABLE.happened(path=path, reason=error)
