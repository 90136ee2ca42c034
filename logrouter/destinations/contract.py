"""The two kinds of destinations, as the router calls them. Neither sees the broker or acknowledges anything.

An inline destination commits together with the ledger: it writes windows of slices and returns the file states for the
ledger to commit. A notifying destination has queues of its own: it gathers records for a while and composes
notifications, which stay on the broker until each is delivered.
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
"""The slices of one window that go to a destination. Merged by `pos`, their records are in the order of the source."""


class Inline(Protocol):
    """A destination whose writes become durable in the router's own commit."""

    name: str

    async def recover(self) -> None:
        """Make the files on disk agree with the ledger. Called once, before anything is written."""

    async def write(self, windows: Sequence[Window]) -> list[FileState]:
        """Make these windows durable, in this order, and return the states of the files that changed.

        Raises Retry if this is not possible now. Nothing of the call then remains, and the caller may repeat it.
        """

    def refusal(self, window: Window) -> Exception | None:
        """Return why the destination can never hold this window, or None if it can. Writes nothing.

        The router calls this after a failed `write`, and before it saves windows for a destination that is set aside.
        """

    async def committed(self) -> None:
        """Accept the last `write`: the ledger has committed the states that it returned."""

    async def undo(self) -> None:
        """Undo the last `write`: the ledger does not have its states and never will."""

    async def tidy(self) -> list[FileState]:
        """Finish and remove the files that are due, and return their new states.

        The router commits these states to the ledger. It does not call `committed` or `undo` for them. It calls `tidy`
        about every ten seconds, and at once again while a file is between two names or about to be removed. Of the
        other methods only `refusal` may be called meanwhile.
        """

    async def close(self) -> None:
        """Release open files and threads. Everything that was committed is durable already."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What `Gathering.take` returns.

    digest: the argument for `compose`, b"" if nothing is due.
    note: the gathering after the call, from which `resume` continues.
    due: the latest time for the next `take` (Unix time) if no records come, None for none.
    """

    digest: bytes
    note: str
    due: float | None = None


class Gathering(Protocol):
    """The records that a destination gathers for its next notification, and whatever else it remembers, in memory."""

    def add(self, identity: str, rule: str, records: Sequence[Record], now: float) -> None:
        """Add records that `rule` sent.

        identity: a name that the same records always have.   now: Unix time.
        """

    def take(self, now: float, *, at_once: bool = False) -> Taken:
        """Remove and return what is due. `at_once` makes everything due."""


class Notifying(Protocol):
    """A destination that notifies people. Any exception that a method does not document makes a dead letter."""

    name: str

    def resume(self, note: str) -> Gathering:
        """Return the gathering that a note describes. The first note is ''."""

    def compose(self, digest: bytes, now: float) -> Sequence[Message]:
        """Return the notifications for a digest. Equal digests give equal ids. Called in a thread, so it may block."""

    async def deliver(self, notification: Message) -> None:
        """Deliver one notification, and return when the receiver has accepted it. Raises Retry, Refuse."""
