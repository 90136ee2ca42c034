"""The memory of a process that lives long and makes records in batches: when garbage is collected, what goes back."""

from __future__ import annotations

import ctypes
import gc

_YOUNG = 10_000
"""Objects made and not yet gone between two looks: records come by the thousand at once and go soon."""

_LARGE = 1 << 20
"""Bytes of a block that goes back to the system when it is freed. By itself glibc raises this to 32 MiB, and keeps what
large messages left behind: 100 MB of 360 with bodies of 16 MiB."""

_KEPT = 4 << 20
"""Bytes at the end of the heap that are kept for the next batch, so as not to ask for them each time."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_ARENAS = 2
"""Pools that threads allocate from; each keeps what it once had."""


def collect_seldom() -> None:
    """To be called when all is imported, which no look has to go through from then on. Spares a tenth of the time."""
    gc.freeze()
    gc.set_threshold(_YOUNG)


def give_back_large_blocks() -> None:
    """Have large blocks go back to the system (mallopt(3)); does nothing where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_ARENA_MAX, _ARENAS)
