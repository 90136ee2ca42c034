"""Copies standard input to a spool, byte for byte, until it ends."""

from __future__ import annotations

import asyncio
import os
import select

from logrouter.observability.events import STDIN_FAILED
from shippers.spool.load_shedding import LoadShedding
from shippers.spool.spool import Spool

_READ_BYTES = 256 << 10
_LIMIT = 1 << 30
"""Bytes that may wait for the broker. Above that, the program that writes has to wait."""

_LOOK_SECONDS = 0.25
"""Seconds for which a thread waits for input: few, because the wait cannot be interrupted and would delay a stop."""


async def copy(fd: int, spool: Spool) -> None:
    """Copy input until its end, then close the segment, so that a last line without newline counts as a line."""
    shedding = LoadShedding(spool, _LIMIT)
    while (content := await asyncio.to_thread(_read, fd)) != b"":
        if content is not None:
            safe = spool.put(content)
            if spool.is_full:
                await safe
            await shedding.room()
    await spool.put(b"")
    spool.end()


def _read(fd: int) -> bytes | None:
    """Return the next bytes; b'' at the end or if reading fails, None if there are none yet."""
    try:
        readable, _, _ = select.select([fd], [], [], _LOOK_SECONDS)
        return os.read(fd, _READ_BYTES) if readable else None
    except (OSError, ValueError) as error:
        STDIN_FAILED.happened(reason=error)
        return b""
