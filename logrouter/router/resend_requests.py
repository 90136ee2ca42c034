"""Requests shippers to send again what is missing: the gaps that hold up sources, and what `Losses` finds missing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence

from logrouter.broker.contract import Delivery, Session
from logrouter.errors import BrokerError, SessionLost
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.ledger.losses import ASKED, GONE, MissingRange
from logrouter.observability import events
from logrouter.router.reorder import Assembly
from logrouter.router.retransmission import PATIENCE, Losses
from logrouter.wire.request import EXCHANGE, Request, to_message

_EVERY = 1.0
"""Seconds between two checks of what is missing."""


async def ask(session: Session, retransmission: Losses, assembly: Assembly[Delivery], *, ledger: Ledger) -> None:
    """Publish requests until cancelled. The first one asks all shippers for a statement of all their sources.

    Raises SessionLost, sqlite3.Error.
    """
    requests = [("", Request(retransmission.instance, "", []))]
    while True:
        await _publish(session, requests)
        await asyncio.sleep(_EVERY)
        now, at = time.monotonic(), time.time()
        for source, ranges in assembly.gaps(now - PATIENCE):
            retransmission.misses(source, ranges, now, at)
        requests = list(retransmission.due(now, at))
        await note(retransmission, ledger)


async def _publish(session: Session, requests: Sequence[tuple[str, Request]]) -> None:
    try:
        for host, request in requests:
            await session.publish(EXCHANGE, to_message(request, host), mandatory=False, apart=True)
    except SessionLost:
        raise
    except BrokerError as error:
        events.REQUESTS_REFUSED.happened(reason=error, remedy=error.remedy or "check that exchange")


async def note(retransmission: Losses, ledger: Ledger) -> None:
    """Save what has changed to the ledger, and report it by events. Raises sqlite3.Error."""
    changed, retransmission.changed = retransmission.changed, []
    whole, retransmission.whole = retransmission.whole, set()
    if not (changed or whole):
        return
    try:
        await asyncio.to_thread(ledger.commit, LedgerEntry(missing=changed, whole=whole))
    except (sqlite3.Error, asyncio.CancelledError):  # it may be committed, but saving it twice is harmless
        retransmission.changed[:0] = changed
        retransmission.whole |= whole
        raise
    _say(changed)
    for source in whole:
        events.LINES_HEALED.happened(source=source)


def _say(changed: list[MissingRange]) -> None:
    new = [each for each in changed if each.outcome == ASKED]
    if new:
        sources = {each.source for each in new}
        events.LINES_MISSING.happened(count=len(sources), source=new[0].source, position=new[0].start)
    for each in changed:
        if each.outcome == GONE:
            events.LINES_GONE.happened(source=each.source, size=each.end - each.start)
