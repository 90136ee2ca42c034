"""Calls that may never return, each in a thread: the event loop goes on, and so does the process at its end.

An executor of the library's joins its threads before a process can end; these are forgotten.
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


class Threads:
    """As many threads as have something to do at one time; those that are done wait for more."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[_Call | None]] = []

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Its result, once it returns."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        calls = self._idle.pop() if self._idle else self._start()
        calls.put((loop, future, call))
        return future

    def close(self) -> None:
        """Let those end that can."""
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
            except BaseException as raised:  # noqa: BLE001  # it is raised where the result is awaited
                error = raised
            self._idle.append(calls)
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any longer
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
