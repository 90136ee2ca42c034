"""What the router asks of destinations, of which there are two kinds. Neither sees the broker or acknowledges anything.

An inline destination commits together with the ledger: in come windows of slices, out go the file states that the
ledger commits. A notifying one has queues of its own: in come records, gathered for a while, out go notifications that
are kept on the broker until each is delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from logrouter.ledger.ledger import FileState
from logrouter.wire.message import Message
from logrouter.wire.record import Record
from logrouter.wire.slices import Slice

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

    def refusal(self, window: Window) -> Exception | None:
        """Why it can never hold this window, None if it can. To be asked where a write failed; it writes nothing."""

    async def committed(self) -> None:
        """The ledger has the states that the last `write` returned."""

    async def undo(self) -> None:
        """The ledger does not have them, and will not: take the last `write` back."""

    async def tidy(self) -> list[FileState]:
        """Finish what is due; the states it returns are committed, then `committed` is called. Called at leisure."""

    async def close(self) -> None:
        """Release what is open; everything committed is already safe."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What is to be told now, and what must not be forgotten.

    digest: what `compose` is to be given, b"" for nothing.   note: the gathering as it then is, to be resumed from.
    due: when to take again at the latest (Unix time), even if nothing comes; None for never.
    """

    digest: bytes
    note: str
    due: float | None = None


class Gathering(Protocol):
    """Records that will be told of together, and whatever else a destination remembers. Kept in memory as it goes."""

    def add(self, identity: str, rule: str, records: Sequence[Record], now: float) -> None:
        """Take records that `rule` sent; `identity` names them for ever.   now: Unix time."""

    def take(self, now: float, *, at_once: bool = False) -> Collected:
        """Take out what is due to be told; `at_once` makes all of it due."""


class Notifying(Protocol):
    """A destination that tells somebody. What it raises besides, in whatever it does, makes a dead letter."""

    name: str

    def resume(self, note: str) -> Gathering:
        """Go on from a note, '' at first."""

    def compose(self, digest: bytes, now: float) -> Sequence[Message]:
        """The notifications of what was taken; equal digests give equal ones. Called in a thread, where it may last."""

    async def deliver(self, notification: Message) -> None:
        """Hand over one notification; returns when it is out of our hands. Raises Retry, Refuse."""
