"""Discard: records end here by a rule's decision. They are counted by the router, like all others, and written nowhere.

In come windows, nothing leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from logrouter.destinations.contract import Window
from logrouter.ledger.ledger import FileState


class Discard:
    """The inline destination that keeps nothing."""

    name = "discard"

    async def recover(self) -> None:
        """There is nothing on disk."""

    async def write(self, windows: Sequence[Window]) -> list[FileState]:
        """Take the windows and leave no file."""
        return []

    def refusal(self, window: Window) -> None:
        """It takes all."""

    async def committed(self) -> None:
        """There is nothing to remember."""

    async def undo(self) -> None:
        """There is nothing to take back."""

    async def tidy(self) -> list[FileState]:
        """There is nothing to finish."""
        return []

    async def close(self) -> None:
        """There is nothing open."""
