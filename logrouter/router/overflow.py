"""The files of inline destinations that are set aside: windows wait there, in order, until the destination takes them.

The ledger holds the length of each file and how much of it was taken. Both change in the same transactions as the
router's decisions and the destination's writes. So a crash neither loses a window nor writes one twice, and the router
never has to recognize a window.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import msgspec

from logrouter.destinations.contract import Window
from logrouter.errors import Retry
from logrouter.ledger.ledger import AsideState, Ledger
from logrouter.observability import events
from logrouter.support.failpoint import reach
from logrouter.support.filesystem import sync_directory
from logrouter.wire.slices import Slice

_HEAD = struct.Struct(">I")
"""The size in bytes of the window that follows."""

_READ_BYTES = 8 << 20
"""`read` returns windows until they have this many bytes in the file."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Slice])


class Overflow:
    """The inline destinations of an instance that are set aside.

    stuck: an event for each inline destination by name, which is set while the destination is set aside.
    """

    def __init__(self, ledger: Ledger, instance: str, names: Iterable[str]) -> None:
        self._directory = ledger.directory / "aside"
        self._instance = instance
        self._states = dict(ledger.aside())
        self.stuck = {name: asyncio.Event() for name in names}
        for name, state in self._states.items():
            if name in self.stuck:
                events.OVERFLOWING.happened(destination=name, reason=f"{state.records} records wait from before")
                self.stuck[name].set()
            else:
                events.ASIDE_ORPHANED.happened(destination=name, records=state.records, path=self.path(name))

    def path(self, name: str) -> Path:
        """Return the path of a destination's file."""
        return self._directory / f"{self._instance}.{name}"

    def __contains__(self, name: str) -> bool:
        return name in self.stuck and self.stuck[name].is_set()

    def begin(self, name: str, reason: object) -> None:
        """Set a destination aside."""
        events.OVERFLOWING.happened(destination=name, reason=reason)
        self.stuck[name].set()

    async def append(self, name: str, windows: Sequence[Window]) -> AsideState:
        """Write windows durably behind the committed length, and return what the ledger has to add. Raises Retry."""
        frames = [_frame(window) for window in windows]
        content = b"".join(frames)
        try:
            await asyncio.to_thread(self._write, name, content)
        except OSError as error:
            raise Retry(f"{self.path(name)}: {error.strerror}") from error
        return AsideState(len(content), 0, sum(len(piece) for window in windows for piece in window))

    async def read(self, name: str) -> tuple[list[Window], AsideState]:
        """Return the next windows, and what the ledger has to add when they are written. Raises Retry."""
        try:
            windows, size = await asyncio.to_thread(self._read, name)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise Retry(f"{self.path(name)}: {error}") from error
        return windows, AsideState(0, size, -sum(len(piece) for window in windows for piece in window))

    def committed(self, added: dict[str, AsideState]) -> None:
        """Note that the ledger has added these states."""
        for name, state in added.items():
            self._states[name] = self._state(name) + state

    def is_taken(self, name: str) -> bool:
        """Report whether the destination has taken all windows in its file."""
        return self._state(name).length == self._state(name).taken

    def end(self, name: str) -> None:
        """Make a destination inline again and delete its file. The ledger must have committed this already."""
        self._states.pop(name, None)
        self.stuck[name].clear()
        events.INLINE_AGAIN.happened(destination=name)
        self.path(name).unlink(missing_ok=True)

    def _state(self, name: str) -> AsideState:
        return self._states.get(name, AsideState())

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self.path(name)
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            view, offset = memoryview(content), self._state(name).length
            reach("aside.write.before")
            while view:
                done = os.pwrite(fd, view, offset)
                view, offset = view[done:], offset + done
            os.fdatasync(fd)
            reach("aside.write.after")
        finally:
            os.close(fd)
        if is_new:
            sync_directory(self._directory)
            sync_directory(self._directory.parent)

    def _read(self, name: str) -> tuple[list[Window], int]:
        state = self._state(name)
        windows: list[Window] = []
        size = 0
        with self.path(name).open("rb") as file:
            file.seek(state.taken)
            while state.taken + size < state.length and size < _READ_BYTES:
                head = file.read(_HEAD.size)
                content = file.read(*_HEAD.unpack(head)) if len(head) == _HEAD.size else b""
                if not content:
                    raise EOFError(f"it ends before {state.length}")
                windows.append(_decoder.decode(content))
                size += len(head) + len(content)
        return windows, size


class _StoredHeader(msgspec.Struct, frozen=True, gc=False):
    """The positions of a record, as they are stored.

    `RecordHeader` cannot be stored as it is: what else it holds is undecoded JSON, and the file is MessagePack.
    """

    pos: int
    end: int


def _fields(piece: Slice) -> dict[str, object]:
    return {each.name: getattr(piece, each.name) for each in fields(piece)}


def _frame(window: Window) -> bytes:
    stored = [
        {**_fields(piece), "places": [_StoredHeader(place.pos, place.end) for place in piece.places]}
        for piece in window
    ]
    content = _encoder.encode(stored)
    return _HEAD.pack(len(content)) + content
