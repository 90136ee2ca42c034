"""Listens on the exchange through a TAIL queue of its own, and passes the records to a function.

The function may be slow. The queue drops messages meanwhile, which are counted and reported; the router never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from secrets import token_hex

from logrouter.broker.contract import EXCHANGE, Broker, Consumer, Queue, QueueKind, Session
from logrouter.destinations.archive.reader import InvalidLines, decoded
from logrouter.errors import NotFound, SessionLost
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.foreign import from_foreign
from logrouter.support.aio import wait
from logrouter.wire.batch import from_message, is_batch
from logrouter.wire.message import Message
from logrouter.wire.record import Record, split_lines
from logrouter.wire.record_filter import RecordFilter
from logrouter.wire.slices import FOREIGN
from shippers.parse.severity.severity import severity

_PAUSE = 1.0
"""Seconds between two attempts to reach the broker."""

Take = Callable[[list[Record]], None]
"""Shows records. It is called in a thread, so it may be as slow as a terminal that nobody reads."""

_PAST_LINES = 1000


async def listen(
    broker: Broker,
    patterns: Sequence[str],
    selection: RecordFilter,
    take: Take,
    stop: asyncio.Event,
    *,
    past: Iterable[Record] = (),
) -> None:
    """Pass the past records to `take`, then the live ones, until `stop` is set. Reconnects when the broker is lost.

    The queue is bound before the past is read, so that no record is missed in between. A record that is in both is
    passed once.
    """
    unreachable = Condition(events.LISTENING_LOST, events.BROKER_FOUND)
    reached: dict[str, int] = {}
    remaining: Iterable[Record] = past
    while not stop.is_set():
        try:
            async with broker.session() as session:
                consumer = await _open(session, patterns)
                unreachable.end(broker=broker.name)
                if remaining is past:
                    events.LISTENING_BEGUN.happened(patterns=" ".join(patterns), broker=broker.name)
                await asyncio.to_thread(_show_past, remaining, reached, take, stop)
                remaining = ()
                await _receive(consumer, selection, reached, take, stop)
        except SessionLost as error:
            unreachable.begin(broker=broker.name, reason=error)
            await wait(stop, _PAUSE)


async def _open(session: Session, patterns: Sequence[str]) -> Consumer:
    queue = Queue(f"logrouter.tail.{token_hex(8)}", QueueKind.TAIL)
    await session.declare_queue(queue)
    try:
        await _bind(session, queue, patterns)
    except NotFound:  # because no router has declared the exchange yet
        await session.declare_exchange(EXCHANGE)
        await _bind(session, queue, patterns)
    return await session.consume(queue.name, prefetch=0)


async def _bind(session: Session, queue: Queue, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        await session.bind(queue.name, EXCHANGE, pattern)


async def _receive(
    consumer: Consumer, selection: RecordFilter, reached: dict[str, int], take: Take, stop: asyncio.Event
) -> None:
    stopping = asyncio.create_task(stop.wait())
    deliveries = aiter(consumer)
    expected = 1
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(anext(deliveries))
            await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            delivery = coming.result()
            if delivery.tag > expected:
                events.TAIL_DROPPED.happened(messages=delivery.tag - expected)
            expected = delivery.tag + 1
            new = [record for record in _records(delivery.message) if _is_new(record, reached)]
            if wanted := [record for record in new if selection.takes(record)]:
                await asyncio.to_thread(take, wanted)
    finally:
        stopping.cancel()


def _show_past(past: Iterable[Record], reached: dict[str, int], take: Take, stop: asyncio.Event) -> None:
    for chunk in batched(past, _PAST_LINES):
        if stop.is_set():
            return
        for record in chunk:
            reached[record.source] = max(reached.get(record.source, 0), record.end)
        take(chunk)


def batched(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Yield the records in lists of at most `size`."""
    coming = iter(records)
    while chunk := list(islice(coming, size)):
        yield chunk


def _is_new(record: Record, reached: Mapping[str, int]) -> bool:
    return record.source == FOREIGN or record.end > reached.get(record.source, 0)


def _records(message: Message) -> list[Record]:
    try:
        if is_batch(message):
            return _of_batch(message)
        return from_foreign(message, severity, time.time()).records()
    except Exception as error:  # noqa: BLE001  # anyone may have written the message
        events.TAIL_UNREADABLE.happened(key=message.key, reason=error)
        return []


def _of_batch(message: Message) -> list[Record]:
    """Return the records that decode, and report the lines that do not. Raises WireError if the message is no batch."""
    odd = InvalidLines()
    records = [record for _, record in decoded(split_lines(from_message(message).body), 1, odd)]
    if odd.count:
        reason = f"{odd.count} lines are not records; the first is line {odd.first}: {odd.reason}"
        events.TAIL_UNREADABLE.happened(key=message.key, reason=reason)
    return records
