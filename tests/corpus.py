"""Lines to route and a way to read them back: real samples where they are present, lines of like shape elsewhere."""

from __future__ import annotations

import random
import subprocess
from collections import defaultdict
from pathlib import Path

from shared import SHARED

from logrouter.destinations.archive.path_template import segment_of
from logrouter.wire.record import Record, decode_lines, original

SAMPLES = SHARED / "data" / "loghub"


def write_corpus(directory: Path, lines: int, files: int = 4) -> list[Path]:
    """So many lines in so many files, each ended by a newline; lines repeat, and some are CRLF, as in real logs."""
    lines_to_choose = pool()
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"app{number}.log" for number in range(files)]
    for number, path in enumerate(paths):
        choose = random.Random(number)
        path.write_bytes(b"".join(choose.choices(lines_to_choose, k=lines // files)))
    return paths


def is_real() -> bool:
    """Whether they are samples of real systems."""
    return bool(_real_lines())


def pool() -> list[bytes]:
    """Lines to choose from, each ended by a newline."""
    return _real_lines() or _made_lines()


def _real_lines() -> list[bytes]:
    found = sorted(SAMPLES.glob("*.log")) if SAMPLES.is_dir() else []
    return [line for path in found for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _made_lines() -> list[bytes]:
    choose = random.Random(0)
    levels = ["INFO", "WARN", "ERROR", "NOTICE"]  # the shipped rules discard debug
    return [
        f"2026-11-22 10:{n % 60:02}:00,{n % 1000:03} {choose.choice(levels)} [worker-{n % 7}] request {n} took "
        f"{choose.randrange(9999)} ms{' retry' * choose.randrange(6)}\r\n".encode()
        for n in range(5000)
    ]


def read_archive(directory: Path) -> list[Record]:
    """Every record under an archive's directory, each path's segments in their order, read by zcat."""
    paths = sorted(directory.rglob("*.gz"), key=lambda path: segment_of(str(path)))
    if not paths:
        return []
    return decode_lines(subprocess.run(["zcat", *paths], check=True, capture_output=True).stdout)


def contents(records: list[Record]) -> dict[str, bytes]:
    """The bytes of each source as the archive has them, in the order of the archive; asserts that it is theirs."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    reached: dict[str, int] = defaultdict(int)
    for record in records:
        assert record.pos >= reached[record.source], f"{record.source} goes back to {record.pos}"
        reached[record.source] = record.end
        lines[record.source].append(original(record))
    return {source: b"".join(each) for source, each in lines.items()}


def assert_archived_once(directory: Path, files: list[Path]) -> None:
    """Each file's content stands in the archive once, in order, and nothing else does."""
    found = sorted(contents(read_archive(directory)).values())
    assert found == sorted(path.read_bytes() for path in files)
