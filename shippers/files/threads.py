"""Runs calls that may never return, each in a thread, without blocking the event loop or the end of the process.

An executor of the standard library joins its threads before a process can end; these threads are daemons.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Call = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class DaemonThreads:
    """A pool of as many threads as there are calls at one time; idle threads wait for more calls."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[_Call | None]] = []

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Run `call` in a thread and return a future of its result. Call this in the thread of the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        calls = self._idle.pop() if self._idle else self._start()
        calls.put((loop, future, call))
        return future

    def close(self) -> None:
        """End the idle threads; those in a call are left alone."""
        for calls in self._idle:
            calls.put(None)
        self._idle.clear()

    def _start(self) -> SimpleQueue[_Call | None]:
        calls: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=self._work, args=(calls,), name="look", daemon=True).start()
        return calls

    def _work(self, calls: SimpleQueue[_Call | None]) -> None:
        while (given := calls.get()) is not None:
            loop, future, call = given
            result = error = None
            try:
                result = call()
            except BaseException as raised:  # noqa: BLE001  # raised where the result is awaited
                error = raised
            self._idle.append(calls)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # it was cancelled
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
