"""The lifetime of a session: whether and why it ended, and the promises that fail with it. Every engine uses it."""

from __future__ import annotations

import asyncio

from logrouter.errors import SessionLost

Promise = asyncio.Future[None]
"""What `publish` returns. It completes when the broker has answered."""


class Lifetime:
    """The state of one session. It ends once; `gone` is then done, and its result is the reason."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._promises: set[Promise] = set()

    @property
    def ended(self) -> bool:
        """Whether the session has ended."""
        return self.gone.done()

    def check(self) -> None:
        """Raise SessionLost, with the reason, if the session has ended."""
        if self.gone.done():
            raise SessionLost(self.gone.result())

    def promise(self) -> Promise:
        """Return a future that fails with SessionLost if the session ends before it has a result."""
        promise: Promise = self.gone.get_loop().create_future()
        if self.gone.done():
            _lose(promise, self.gone.result())
        else:
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
        return promise

    def end(self, reason: str) -> bool:
        """End the session and fail every open promise. Return False if the session had already ended."""
        if self.gone.done():
            return False
        self.gone.set_result(reason)
        for promise in self._promises:
            if not promise.done():
                _lose(promise, reason)
        return True

    async def over(self) -> str:
        """Wait until the session ends, and return the reason."""
        return await asyncio.shield(self.gone)


def keep(promise: Promise, error: Exception | None = None) -> None:
    """Complete a promise, with `error` if there is one. Does nothing if the promise is already done or cancelled."""
    if promise.done():
        return
    if error is None:
        promise.set_result(None)
    else:
        promise.set_exception(error)


def _lose(promise: Promise, reason: str) -> None:
    promise.set_exception(SessionLost(reason))
    promise.exception()  # marks it as retrieved, so that asyncio logs no error for each abandoned publish
