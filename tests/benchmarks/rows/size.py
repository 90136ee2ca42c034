"""Bytes of an archive beside `gzip -6` of the same NDJSON: a busy service, and one that writes a line a second."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure, Row, median
from benchmarks.processes import logrouter, run
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.wire.slices import from_part
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input

_RULES = """\
destinations:
  archive: {{type: archive, dir: {archive}, path: "{{service}}/{{host}}/{{date}}.jsonl{suffix}"}}
rules: []
default: archive
"""

_GZIP, _ZSTD = "busy, gzip", "busy, zstd"
_HOUR, _OPEN = "a line a second for an hour, finished", "the same while it is open"
_NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)
"""Of a day that is over, and that no line of the corpus is near: its lines are filed by when they were received."""

_ROUNDS = 3
"""At most: how much goes into one commit varies a little, and so the size does."""


def row(bench: Bench) -> Row:
    """Measure it."""

    def busy(room: Path, suffix: str) -> float:
        rules = room / "rules" / "rules.yaml"
        rules.parent.mkdir()
        rules.write_text(_RULES.format(archive=room / "archive", suffix=suffix))
        inputs = ("--file", f"app={bench.corpus}", "--host", "h1")
        run(logrouter("up", "--state", room / "state", "--rules", rules.parent, *inputs, "--drain"), room)
        return _share(room / "archive")

    few = replace(bench, rounds=min(bench.rounds, _ROUNDS))
    figures = few.in_turn({_GZIP: lambda room: busy(room, ".gz"), _ZSTD: lambda room: busy(room, ".zst")})
    with bench.room() as room:
        open_share, finished_share = asyncio.run(_hour(room, bench.corpus))
    figures |= {_HOUR: Figure((finished_share,)), _OPEN: Figure((open_share,))}
    bars = {_GZIP: 1.2, _ZSTD: 1.0, _HOUR: 1.3}
    return Row(
        "size",
        "an archive's bytes, in units of gzip -6 of the same NDJSON",
        "x",
        figures,
        [Bar(f"of gzip -6, {name}", median(figures[name]), most=most) for name, most in bars.items()],
        ["the hour drives the archive and its ledger as a router does, 3,600 lines each committed by itself"],
    )


async def _hour(room: Path, lines: Path) -> tuple[float, float]:
    """The hour, one commit for each line, and the shares before and after its file is finished."""
    settings, pos = Input("app", host="h1"), 0
    archive, ledger = _opened(room)
    with lines.open("rb") as file:
        for second, line in enumerate(islice(file, 3600)):
            window = Window("hour", 0, pos, pos + len(line), line)
            made = parts(window, settings, _NOON.timestamp() + second)
            ledger.commit(LedgerEntry(files=await archive.write([[from_part(part) for part in made]])))
            await archive.committed()
            pos += len(line)
    await archive.close()
    ledger.close()
    open_share = _share(room / "archive")
    archive, ledger = _opened(room)
    await archive.recover()
    while files := await archive.tidy():
        ledger.commit(LedgerEntry(files=files))
    await archive.close()
    ledger.close()
    if left := list((room / "archive").rglob("*+open*")):
        raise RuntimeError(f"not finished: {left}")
    return open_share, _share(room / "archive")


def _opened(room: Path) -> tuple[Archive, Ledger]:
    ledger = Ledger(room / "state")
    return Archive("archive", ArchiveSettings(room / "archive"), ledger), ledger


def _share(archive: Path) -> float:
    """The size of all files of an archive, in units of the same by gzip -6."""
    files = sorted(path for path in archive.rglob("*") if path.is_file())
    tool = "zstdcat" if files[0].suffix == ".zst" else "zcat"
    with (
        subprocess.Popen([tool, *files], stdout=subprocess.PIPE) as content,
        subprocess.Popen(["gzip", "-6"], stdin=content.stdout, stdout=subprocess.PIPE) as packed,
    ):
        assert packed.stdout is not None  # it is a pipe
        size = 0
        while chunk := packed.stdout.read(1 << 20):
            size += len(chunk)
    return sum(path.stat().st_size for path in files) / size
