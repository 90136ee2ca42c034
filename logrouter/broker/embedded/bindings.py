"""Topic exchanges: which queues a key goes to. Pure; no message is seen here."""

from __future__ import annotations

from logrouter.errors import NotFound
from logrouter.wire.routing_key import matches

_CACHED = 10_000
"""Keys whose queues are remembered; far more than a fleet has, so that a flood of odd keys cannot fill the memory."""


class Routes:
    """Exchanges that were declared, the bindings to queues, and what each key came to."""

    def __init__(self) -> None:
        self._bindings: dict[str, dict[tuple[str, str], None]] = {}
        self._declared: set[str] = set()
        self._cache: dict[tuple[str, str], tuple[str, ...]] = {}

    def declare(self, exchange: str) -> None:
        """Make an exchange, unless it is there."""
        self._declared.add(exchange)

    def declared(self, exchange: str) -> bool:
        """Whether somebody made that exchange; a binding that was saved by an earlier process does not count."""
        return exchange in self._declared

    def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Send keys that match `pattern` to `queue`."""
        self._bindings.setdefault(exchange, {})[queue, pattern] = None
        self._cache.clear()

    def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """Take a binding back, if it is there."""
        self._bindings.get(exchange, {}).pop((queue, pattern), None)
        self._cache.clear()

    def forget(self, queue: str) -> None:
        """Take all bindings of a queue back."""
        for exchange, bindings in self._bindings.items():
            self._bindings[exchange] = {binding: None for binding in bindings if binding[0] != queue}
        self._cache.clear()

    def queues(self, exchange: str, key: str) -> tuple[str, ...]:
        """The queues that `key` goes to, each once. Raises Missing if the exchange was not declared."""
        found = self._cache.get((exchange, key))
        if found is None:
            if exchange not in self._declared:
                raise NotFound(f"there is no exchange {exchange!r}")
            bindings = self._bindings.get(exchange, {})
            found = tuple(dict.fromkeys(queue for queue, pattern in bindings if matches(pattern, key)))
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[exchange, key] = found
        return found
