"""Topic exchanges: which queues a routing key goes to. Pure; it handles no messages."""

from __future__ import annotations

from logrouter.errors import NotFound
from logrouter.wire.routing_key import matches

_CACHED = 10_000
"""The maximum number of keys in the cache: more than a fleet has, but a flood of odd keys cannot fill the memory."""


class Routes:
    """The declared exchanges, their bindings to queues, and a cache of the queues for each key."""

    def __init__(self) -> None:
        self._bindings: dict[str, dict[tuple[str, str], None]] = {}
        self._declared: set[str] = set()
        self._cache: dict[tuple[str, str], tuple[str, ...]] = {}

    def declare(self, exchange: str) -> None:
        """Create an exchange, unless it exists."""
        self._declared.add(exchange)

    def declared(self, exchange: str) -> bool:
        """Report whether this process declared the exchange. A binding that an earlier process saved does not count."""
        return exchange in self._declared

    def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Route keys that match `pattern` to `queue`."""
        self._bindings.setdefault(exchange, {})[queue, pattern] = None
        self._cache.clear()

    def unbind(self, queue: str, exchange: str, pattern: str) -> None:
        """Remove a binding, if it exists."""
        self._bindings.get(exchange, {}).pop((queue, pattern), None)
        self._cache.clear()

    def forget(self, queue: str) -> None:
        """Remove all bindings of a queue."""
        for exchange, bindings in self._bindings.items():
            self._bindings[exchange] = {binding: None for binding in bindings if binding[0] != queue}
        self._cache.clear()

    def queues(self, exchange: str, key: str) -> tuple[str, ...]:
        """Return the queues that `key` goes to, each once. Raises NotFound if the exchange was not declared."""
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
