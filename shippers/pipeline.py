"""Encodes the windows of all sources as parts and publishes them, those of each source in order.

Windows are encoded here or, several at a time, by workers. They go to the publisher in the order in which they were
read, however long each takes. When a source is rewound, its windows that are still being encoded are discarded.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from logrouter.wire.batch import Part
from shippers.encode.fallback import safe_parts
from shippers.encode.lines import Window
from shippers.files.generation import Generation
from shippers.publisher import Publisher
from shippers.workers import Workers

_LONG = 1 << 20
"""A window of more bytes is one long line. It may have to be truncated, and only this process can count that."""

_EACH = 3
"""Windows for each worker: one that it encodes, one that waits and one on its way."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A window that is being encoded. rewinds: how often its source had been rewound when the window was read."""

    rewinds: int
    parts: asyncio.Task[tuple[Part, ...]]


class Pipeline:
    """Encodes and publishes the windows of one session. changed: set when there is room for another window."""

    def __init__(self, publisher: Publisher, workers: Workers | None, changed: asyncio.Event) -> None:
        self._publisher = publisher
        self._workers = workers
        self._changed = changed
        self._lanes: dict[Generation, deque[_Made]] = {}
        self._trouble: Exception | None = None

    @property
    def has_room(self) -> bool:
        """Whether another window may be read."""
        under_way = sum(map(len, self._lanes.values()))
        return self._publisher.has_room and (self._workers is None or under_way < _EACH * self._workers.count)

    def check(self) -> None:
        """Raise SessionLost if the session is lost, or the error that publishing or encoding ended with."""
        self._publisher.check()
        if self._trouble is not None:
            raise self._trouble

    def take(self, generation: Generation, window: Window) -> None:
        """Encode a window and publish it after earlier ones of the same source. Windows of spools are encoded here."""
        settings = generation.origin.settings
        is_long = window.to - window.from_ > _LONG
        if self._workers is None or settings.feed is not None or (is_long and generation not in self._lanes):
            self._publish(generation, safe_parts(window, settings, time.time()))
            return
        made = asyncio.create_task(self._workers.parts(window, settings))
        self._lanes.setdefault(generation, deque()).append(_Made(generation.rewinds, made))
        made.add_done_callback(lambda _: self._advance(generation))

    async def finish(self, seconds: float) -> None:
        """Wait until all windows are confirmed or refused, for `seconds` in each of the two steps at most."""
        if under_way := [made.parts for lane in self._lanes.values() for made in lane]:
            await asyncio.wait(under_way, timeout=seconds)
        await self._publisher.finish(seconds)

    def abandon(self) -> None:
        """Give up on the session and rewind all sources to what is confirmed."""
        lanes, self._lanes = self._lanes, {}
        for generation, lane in lanes.items():
            for made in lane:
                made.parts.cancel()
            generation.rewind(0.0)
        self._publisher.abandon()

    def _advance(self, generation: Generation) -> None:
        lane = self._lanes.get(generation)
        while lane and lane[0].parts.done():
            made = lane.popleft()
            if made.rewinds == generation.rewinds:
                self._take_result(generation, made)
        if not lane:
            self._lanes.pop(generation, None)
        self._changed.set()

    def _take_result(self, generation: Generation, made: _Made) -> None:
        try:
            self._publish(generation, made.parts.result())
        except Exception as error:  # noqa: BLE001  # it would be lost in a callback, so `check` raises it
            self._trouble = error

    def _publish(self, generation: Generation, made: Sequence[Part]) -> None:
        self._publisher.publish(generation, made, generation.origin.settings.name)
