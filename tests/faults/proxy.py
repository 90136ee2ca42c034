"""The link between one of our processes and the broker, with faults on command. TCP on loopback.

In comes what the link shall do from now on, out goes what of the bytes gets through. No byte is ever altered or
dropped from the middle of a stream: what is held is held until the link is clear again, or cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum


class Fault(Enum):
    """What a link can do other than carry."""

    CUT = "cut"  # every connection ends now; new ones are taken again at once
    STALL = "stall"  # nothing moves, either way
    TRICKLE = "trickle"  # a few bytes a second
    HALF_OPEN = "half-open"  # connections are taken and nobody is behind them
    DEAF = "deaf"  # nothing reaches the broker
    DUMB = "dumb"  # nothing comes from the broker


_TRICKLE_BYTES, _TRICKLE_SECONDS = 16, 0.25
_HELD = {Fault.STALL: {"up", "down"}, Fault.DEAF: {"up"}, Fault.DUMB: {"down"}, Fault.HALF_OPEN: {"up", "down"}}


class Link:
    """A proxy to `port` on 127.0.0.1; its own port is `port` of the link while it is `running`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._fault: Fault | None = None
        self._clear = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._writers: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.port = 0
        self.mend()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Link]:
        """Take connections."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._carrying:
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    def suffer(self, fault: Fault) -> None:
        """Be in this state until it is mended."""
        self._fault = fault
        if fault in (Fault.CUT, Fault.HALF_OPEN):
            self.cut()
        for direction in _HELD.get(fault, ()):
            self._clear[direction].clear()

    def mend(self) -> None:
        """Carry again, first of all what was held."""
        self._fault = None
        for event in self._clear.values():
            event.set()

    def cut(self) -> None:
        """End every connection without a farewell."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # asyncio's server makes one for each connection
        self._carrying.add(task)
        self._writers.add(writer)
        behind = None
        try:
            await self._clear["up"].wait()
            try:
                far, behind = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:
                return  # the broker is down, and so the connection ends
            self._writers.add(behind)
            await self._carry_both(reader, behind, far, writer)
        except asyncio.CancelledError:
            pass  # the campaign is over; asyncio's server would complain of it
        finally:
            for each in (writer, behind):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()
            self._carrying.discard(task)

    async def _carry_both(
        self,
        near: asyncio.StreamReader,
        behind: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        ways = {
            asyncio.create_task(self._carry(near, behind, "up")),
            asyncio.create_task(self._carry(far, writer, "down")),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        while data := await reader.read(_TRICKLE_BYTES if self._fault is Fault.TRICKLE else 65536):
            await self._clear[direction].wait()
            if self._fault is Fault.TRICKLE:
                await asyncio.sleep(_TRICKLE_SECONDS)
            writer.write(data)
            await writer.drain()
