"""The inbox of a consumer: order, its bound, its end."""

from __future__ import annotations

import asyncio

import pytest

from logrouter.broker.contract import TAIL_BYTES, TAIL_MESSAGES, Delivery
from logrouter.broker.prefetch import Inbox
from logrouter.errors import SessionLost
from logrouter.wire.message import Message


def delivery(tag: int, size: int = 0) -> Delivery:
    return Delivery(Message("k", bytes(size)), tag, redelivered=False)


async def test_a_bounded_inbox_keeps_the_newest_within_both_bounds() -> None:
    inbox = Inbox(bounded=True)
    for tag in range(1, TAIL_MESSAGES + 11):
        inbox.put(delivery(tag))
    assert (await anext(inbox)).tag == 11
    assert len(inbox) == TAIL_MESSAGES - 1
    inbox.put(delivery(0, TAIL_BYTES))
    assert len(inbox) == TAIL_MESSAGES
    inbox.put(delivery(1, 1))
    assert [each.tag for each in inbox.drain()] == [1]
    inbox.put(delivery(2, TAIL_BYTES))
    assert [each.tag for each in inbox.drain()] == [2]
    inbox.put(delivery(3, TAIL_BYTES + 1))
    assert len(inbox) == 0


async def test_an_unbounded_inbox_drops_nothing() -> None:
    inbox = Inbox(bounded=False)
    for tag in range(TAIL_MESSAGES + 10):
        inbox.put(delivery(tag, 1000))
    assert [each.tag for each in inbox.drain()] == list(range(TAIL_MESSAGES + 10))


@pytest.mark.parametrize("reason", [None, "gone"])
async def test_the_end_wakes_who_waits_and_drops_what_is_there(reason: str | None) -> None:
    waiting, full = Inbox(bounded=False), Inbox(bounded=False)
    full.put(delivery(1))
    tasks = [asyncio.ensure_future(anext(waiting, None)) for _ in range(2)]
    await asyncio.sleep(0)
    for inbox in (waiting, full):
        inbox.end(reason)
        inbox.end("another reason")
        inbox.put(delivery(2))
        assert inbox.drain() == []
    for call in (*tasks, anext(full, None)):
        if reason is None:
            assert await call is None
        else:
            with pytest.raises(SessionLost, match=reason):
                await call
