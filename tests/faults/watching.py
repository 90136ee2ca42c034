"""How much the archives hold, as the ledger says it, from moment to moment; and the archives themselves at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from faults.oracle import Archived
from logrouter.destinations.archive.path_template import segment_of, twin_name
from logrouter.wire.record import decode_lines, original

_LOOK_SECONDS = 0.1


class Ledger:
    """Read beside the router that writes it.   steps: when (Unix time) the archives held more than before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._archived = 0
        self.steps: list[float] = []

    def archived(self, *services: str) -> int:
        """Lines in the archives, of these services or of all."""
        counts = self._rows("SELECT path, records FROM files")
        return sum(records for path, records in counts if not services or path.split("/")[0] in services)

    def repeated(self) -> int:
        """Lines that came again and were dropped."""
        return self._number("SELECT sum(repeated) FROM sources")

    def late(self) -> dict[str, int]:
        """Windows that were counted as late, by source."""
        return dict(self._rows("SELECT source, sum(late) FROM sources GROUP BY source HAVING sum(late) > 0"))

    async def watch(self) -> None:
        """Note each step, until cancelled."""
        while True:
            if (archived := self.archived()) > self._archived:
                self._archived = archived
                self.steps.append(time.time())
            await asyncio.sleep(_LOOK_SECONDS)

    async def until(self, holds: Callable[[], bool], quiet: float) -> bool:
        """Wait until it holds; false if it does not and nothing has been archived for so many seconds."""
        since, last = time.monotonic(), -1
        while not holds():
            if (archived := self.archived()) != last:
                since, last = time.monotonic(), archived
            if time.monotonic() - since > quiet:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def _number(self, query: str, *arguments: str) -> int:
        rows = self._rows(query, *arguments)
        return int(rows[0][0] or 0) if rows else 0

    def _rows(self, query: str, *arguments: str) -> list[tuple[str, int]]:
        """Nothing while there is no ledger, or none that can be read just now."""
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
            try:
                return connection.execute(query, arguments).fetchall()
            finally:
                connection.close()
        return []


def read_archive(directory: Path) -> list[Archived]:
    """Every record below a directory, each path's segments in their order. Raises CalledProcessError for damage."""
    records: list[Archived] = []
    for path in sorted(directory.rglob("*.jsonl.gz"), key=lambda path: segment_of(str(path))):
        if path.with_name(twin_name(path.name)).exists():
            continue  # it is just being finished: the open file has all of it
        content = subprocess.run(["zcat", path], check=True, capture_output=True).stdout
        records += (Archived(each.source, each.pos, each.end, original(each)) for each in decode_lines(content))
    return records


def size_below(directory: Path) -> int:
    """Bytes of the files below a directory."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total
