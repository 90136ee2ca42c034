"""Discards datagrams when a spool is nearly full: the mildest severities first, error and worse last.

Each discarded message is counted. Messages on streams are not discarded, because their senders can be made to wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from logrouter.observability.conditions import Condition
from logrouter.observability.events import SHED_OVER, SHEDDING
from logrouter.observability.metrics import SHED
from logrouter.wire.routing_key import RANK, SEVERITIES
from shippers.spool.spool import Spool

_SHARES = {"debug": 0.80, "info": 0.85, "notice": 0.90, "warning": 0.95}
"""The shares of a spool's limit at which messages of a severity are discarded. All others go at the limit itself."""

_PRI = re.compile(rb"<(\d{1,3})>")
_UNSTATED = RANK["notice"]
_LOOK_SECONDS = 0.1


def mildest_kept(share: float) -> int:
    """Return the rank of the mildest severity that is kept at this share of the limit; -1 if none is kept."""
    if share >= 1.0:
        return -1
    return min((RANK[severity] - 1 for severity, full in _SHARES.items() if share >= full), default=len(SEVERITIES) - 1)


def rank(message: bytes) -> int:
    """Return the rank of the severity in a syslog message's PRI, or that of notice if it has none."""
    found = _PRI.match(message)
    return int(found[1]) % 8 if found else _UNSTATED


class LoadShedding:
    """The load shedding of one spool. limit: bytes that may wait in it."""

    def __init__(self, spool: Spool, limit: int) -> None:
        self._spool = spool
        self._limit = limit
        self._sheds = Condition(SHEDDING, SHED_OVER)

    def kept(self, messages: Sequence[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
        """Return those of these messages, each with its sender, for which there is room. Count the others."""
        waiting = self._spool.waiting
        if waiting + sum(len(message) for message, _ in messages) < min(_SHARES.values()) * self._limit:
            self._sheds.end(path=self._spool.directory)
            return list(messages)
        kept = []
        for message, sender in messages:
            level = rank(message)
            if level <= mildest_kept(waiting / self._limit):
                kept.append((message, sender))
                waiting += len(message)
            else:
                SHED.labels(SEVERITIES[level]).inc()
                self._sheds.begin(path=self._spool.directory)
        return kept

    async def room(self) -> None:
        """Wait until the spool is not full, for senders that can wait."""
        while self._spool.waiting >= self._limit:  # noqa: ASYNC110  # confirms come by the thousand and set no event
            await asyncio.sleep(_LOOK_SECONDS)
