"""The life of a session: why it ended, and the promises that end with it. Both engines build on it."""

from __future__ import annotations

import asyncio

from logrouter.errors import SessionLost

Promise = asyncio.Future[None]
"""What `publish` returns: ends when the broker has answered."""


class Lifetime:
    """Begins alive and ends once, with a reason; `gone` is done from then on and holds it."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._promises: set[Promise] = set()

    @property
    def ended(self) -> bool:
        """Whether the session is gone."""
        return self.gone.done()

    def check(self) -> None:
        """Raise SessionLost with the reason if the session is gone."""
        if self.gone.done():
            raise SessionLost(self.gone.result())

    def promise(self) -> Promise:
        """A future that fails with SessionLost when the session ends before it is kept."""
        promise: Promise = self.gone.get_loop().create_future()
        if self.gone.done():
            _lose(promise, self.gone.result())
        else:
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
        return promise

    def end(self, reason: str) -> bool:
        """End it; every promise that is not kept fails. False if it had ended before, for another reason."""
        if self.gone.done():
            return False
        self.gone.set_result(reason)
        for promise in self._promises:
            if not promise.done():
                _lose(promise, reason)
        return True

    async def over(self) -> str:
        """Wait for the end and say why it came."""
        return await asyncio.shield(self.gone)


def keep(promise: Promise, error: Exception | None = None) -> None:
    """Answer a promise, unless it was answered, lost or given up before."""
    if promise.done():
        return
    if error is None:
        promise.set_result(None)
    else:
        promise.set_exception(error)


def _lose(promise: Promise, reason: str) -> None:
    promise.set_exception(SessionLost(reason))
    promise.exception()  # seen: the loss is told once, not once more for each publish that nobody waits for any longer
