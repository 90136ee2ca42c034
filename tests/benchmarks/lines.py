"""A million lines to measure with: real ones repeated and shuffled in blocks, or made-up ones of like shape."""

from __future__ import annotations

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
