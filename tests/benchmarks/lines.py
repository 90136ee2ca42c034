"""A million lines to measure with: real ones repeated and shuffled in blocks, or made-up ones of like shape."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from corpus import pool

BLOCK = 100
"""Lines that stay together: logs come in bursts of one kind."""


END = "END-OF-BENCH"
"""The last line: whoever has taken this has taken all, for those whose programs do not end by themselves."""


def write_lines(path: Path, count: int) -> int:
    """So many lines into one file, a multiple of BLOCK; its size in bytes."""
    lines = pool()
    blocks = [b"".join(lines[begin : begin + BLOCK]) for begin in range(0, len(lines) - BLOCK, BLOCK)]
    choose = random.Random(count)
    with path.open("wb") as file:
        for _ in range(count // BLOCK - 1):
            file.write(choose.choice(blocks))
        file.write(b"".join(lines[: BLOCK - 1]) + f"{END}\n".encode())
        return file.tell()


def spread(lines: Path, directory: Path, count: int) -> list[Path]:
    """The lines of a file over so many files of a new directory, BLOCK by BLOCK in turn."""
    directory.mkdir(parents=True)
    blocks: list[list[bytes]] = [[] for _ in range(count)]
    with lines.open("rb") as file:
        for number in itertools.count():
            block = b"".join(itertools.islice(file, BLOCK))
            if not block:
                break
            blocks[number % count].append(block)
    paths = [directory / f"app{number:05}.log" for number in range(count)]
    for path, its in zip(paths, blocks, strict=True):
        path.write_bytes(b"".join(its))
    return paths
