"""A long run of random changes to configurations and archive files. By hand, as CI has no time.

For so many seconds rules, inputs and archive files are made up and spoilt; each may end in nothing but a mistake of a
user's, or a file that is named. A seed replays a run.

    python tests/fuzz/configurations.py 600 [SEED]
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isal import isal_zlib

from logrouter.app.rule_files import load_checked
from logrouter.audit.archives import ArchiveReader
from logrouter.audit.findings import Findings
from logrouter.cli.merge import SortedSource, in_order
from logrouter.cli.record_format import printer
from logrouter.config.mistakes import ConfigError
from logrouter.config.shippers import load_inputs
from logrouter.destinations.archive.codec import codec_for
from logrouter.destinations.archive.reader import Outcome, first_time, read_segments, record_of
from logrouter.errors import WireError
from logrouter.ledger.entry import FileState
from logrouter.ledger.selection import Selection as Days
from logrouter.wire.record import Record, encode_lines, original
from logrouter.wire.record_filter import RecordFilter
from shippers.settings import from_models

ROOT = Path(__file__).parents[2]
SEEDS = [path.read_bytes() for place in ("rules", "shippers") for path in sorted((ROOT / place).glob("*.yaml"))]
PIECES = [
    *(b"&a ", b"*a", b"<<: *a", b"!!binary ", b"!!set ", b"!x ", b"- ", b"? ", b": ", b"[", b"]", b"{", b"}", b"|\n"),
    *(b"\0", b'"\\0"', b'"\\ud800"', b"\xff", b"\xed\xa0\x80", b"\t", b"\r", b"---\n", b"...\n", b"%YAML 1.2\n", b"#"),
    *(b"2026-11-22", b"12:30:00", b"0x1F", b"1e400", b".inf", b"-.nan", b"9" * 400, b"~", b"yes", b"10000y", b"'"),
    *(b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xc2\x85", b"[" * 100, b"{a: " * 100, b"a.*.#", b"/**/[z-a]", b"smtp://["),
]
WORDS = sorted({word for text in SEEDS for word in re.findall(rb"[A-Za-z_]{3,}", text)})
NAMES = ("x.jsonl.gz", "x.jsonl.zst", "x.jsonl", "x+open.jsonl.gz", "x.log")


def spoilt(content: bytes, draw: random.Random) -> bytes:
    """With a few random changes."""
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(content) + 1)
        end = min(len(content), at + draw.choice((0, 1, 1, 4, 40, 400)))
        new = draw.choice(
            (
                b"",
                draw.choice(PIECES),
                draw.choice(WORDS),
                draw.randbytes(draw.randint(1, 8)),
                content[at:end] * 2,
                content[end : end + 50],
            )
        )
        content = content[:at] + new + content[end:]
    return content[: draw.randrange(len(content) + 1)] if draw.random() < 0.1 else content


def one_configuration(directory: Path, draw: random.Random) -> str:
    """Load spoilt rules and inputs."""
    path = directory / "any.yaml"
    path.write_bytes(spoilt(draw.choice(SEEDS), draw) if draw.random() < 0.95 else draw.randbytes(draw.randint(0, 300)))
    outcome = "mistaken"
    for load in (load_checked, lambda paths: from_models(load_inputs(paths))):
        with contextlib.suppress(ConfigError):
            load([path])
            outcome = "good"
    return outcome


def one_archive(directory: Path, draw: random.Random) -> str:
    """Read spoilt archive files back, as `cat`, `tail` and `audit` do."""
    name = draw.choice(NAMES)
    records = [record(number, draw) for number in range(draw.choice((0, 1, 30, 300)))]
    lines = encode_lines(records)
    if draw.random() < 0.5:
        lines = spoilt(lines, draw)
    content = packed(name, lines, draw) if lines else b""
    is_damaged = draw.random() < 0.5
    path = directory / name
    path.write_bytes(spoilt(content, draw) if is_damaged else content)
    outcome = Outcome()
    source = SortedSource(first_time(path), lambda: read_segments([path], RecordFilter(), outcome))
    show, read = printer(as_objects=False), []
    for each in in_order([source]):
        read.append(each.line)
        show(each.decoded or record_of(each.line))
        original(each.decoded or record_of(each.line))
    if not is_damaged:
        every = lines.removesuffix(b"\n").split(b"\n") if lines else []
        assert read == [line for line in every if is_record(line)], "a bad line hides nothing but itself"
        assert outcome.is_whole == (len(read) == len(every)), "what is left out is said"
    state = FileState("archive", "x" + name[1:].replace("+open", ""), 1, "open" if "+open" in name else "finished",
                      size=len(lines), records=len(records), crc=isal_zlib.crc32(lines))  # fmt: skip
    findings = Findings(sqlite3.connect(":memory:"))
    reading = ArchiveReader(directory, Days(), findings, lambda state: state, lambda source, run: None)
    reading.read("archive", [state], is_text=name.endswith(".log"))
    path.unlink()
    return "whole" if outcome.is_whole else "named"


def is_record(line: bytes) -> bool:
    try:
        record_of(line)
    except (WireError, RecursionError):
        return False
    return True


def record(number: int, draw: random.Random) -> Record:
    ts = draw.choice(("2026-11-22T12:00:00Z", "yesterday", "", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"))
    fields: dict[str, Any] | None = (
        {"a": draw.choice(([], {"b": [[[1]]]}, "\ud7ff", 1e300))} if draw.random() < 0.2 else None
    )
    return Record(ts, "web", "h\0", "info", "x" * draw.choice((0, 5, 5000)), "s", number, number + 1, fields=fields)


def packed(name: str, lines: bytes, draw: random.Random) -> bytes:
    """In one or several members, each with several commits."""
    whole = b""
    while lines or not whole:
        member, lines = (lines, b"") if draw.random() < 0.7 else (lines[: len(lines) // 2], lines[len(lines) // 2 :])
        stream = codec_for(name).begin()
        half = len(member) // 2
        whole += b"".join(stream.write(piece) + stream.sync() for piece in (member[:half], member[half:]))
        whole += codec_for(name).trailer(isal_zlib.crc32(member), len(member))
        if not lines:
            break
    return whole


def main(seconds: float, seed: int) -> None:
    """Try for so long; says what came of it, and which seed failed."""
    logging.disable()
    outcomes = Counter[str]()
    kinds: tuple[Callable[[Path, random.Random], str], ...] = (one_configuration, one_archive)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as directory:
        while time.monotonic() < end:
            draw = random.Random(seed)
            try:
                outcomes[draw.choice(kinds)(Path(directory), draw)] += 1
            except BaseException:
                sys.stderr.write(f"seed {seed} fails\n")
                raise
            seed += 1
    sys.stdout.write(f"{sum(outcomes.values())} tries up to seed {seed}: {dict(outcomes)}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
