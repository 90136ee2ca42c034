"""What the router asks of an inline destination: one that commits together with the ledger.

In come windows of slices, out go the file states that the ledger commits. An inline destination never acknowledges
and never sees the broker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from logrouter.ledger.ledger import FileState
from logrouter.slices import Slice

Window = Sequence[Slice]
"""The slices of one window that are bound for a destination; together they are ordered by `pos` within a source."""


class Inline(Protocol):
    """A destination whose writes become durable in the router's own commit."""

    name: str

    async def recover(self) -> None:
        """Put what is on disk in agreement with the ledger, once, before anything is written."""

    async def write(self, windows: Sequence[Window]) -> list[FileState]:
        """Make these windows durable, in this order, and tell how the files then are.

        Raises Retry when it cannot now; nothing of the call then remains, and the same call may be made again.
        """

    async def committed(self) -> None:
        """The ledger has the states that the last `write` returned."""

    async def undo(self) -> None:
        """The ledger does not have them, and will not: take the last `write` back."""

    async def tidy(self) -> list[FileState]:
        """Finish what is due; the states it returns are committed, then `committed` is called. Called at leisure."""

    async def close(self) -> None:
        """Release what is open; everything committed is already safe."""
