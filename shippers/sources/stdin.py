"""Standard input -> a spool, byte for byte, until it ends."""

from __future__ import annotations

import asyncio
import os
import select

from logrouter.observability.events import STDIN_FAILED
from shippers.spool.load_shedding import Shedding
from shippers.spool.spool import Spool

_AT_ONCE = 256 << 10
_LIMIT = 1 << 30
"""Bytes that may wait for the broker; above that whoever writes waits."""

_LOOK_SECONDS = 0.25
"""For which a thread waits for input: it cannot be interrupted, and a program that is told to stop should."""


async def copy(fd: int, spool: Spool) -> None:
    """Take what comes until the end of input, then close the segment; a last line without newline is whole."""
    shedding = Shedding(spool, _LIMIT)
    while (content := await asyncio.to_thread(_read, fd)) != b"":
        if content is not None:
            safe = spool.put(content)
            if spool.is_full:
                await safe
            await shedding.room()
    await spool.put(b"")
    spool.end()


def _read(fd: int) -> bytes | None:
    """The next bytes; b'' at the end, None when there are none yet."""
    try:
        readable, _, _ = select.select([fd], [], [], _LOOK_SECONDS)
        return os.read(fd, _AT_ONCE) if readable else None
    except (OSError, ValueError) as error:
        STDIN_FAILED.happened(reason=error)
        return b""
