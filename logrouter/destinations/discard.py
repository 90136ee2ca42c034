"""The discard destination: keeps nothing. The router counts its records like all others."""

from __future__ import annotations

from collections.abc import Sequence

from logrouter.destinations.contract import Window
from logrouter.ledger.ledger import FileState


class Discard:
    """The inline destination that writes nothing."""

    name = "discard"

    async def recover(self) -> None:
        pass

    async def write(self, windows: Sequence[Window]) -> list[FileState]:
        return []

    def refusal(self, window: Window) -> None:
        pass

    async def committed(self) -> None:
        pass

    async def undo(self) -> None:
        pass

    async def tidy(self) -> list[FileState]:
        return []

    async def close(self) -> None:
        pass
