"""The contract, held against both engines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from shared import SHARED, needs_shared

from logrouter.broker.contract import TAIL_BYTES, Broker, Consumer, Delivery, Queue, QueueKind, Session
from logrouter.errors import BrokerError, NotFound, PublishRefused, QueueTaken, SessionLost, Unroutable
from logrouter.wire import probe
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.routing_key import marker
from logrouter.wire.statement import EXCHANGE as REPORTS
from shippers.readiness import router_has_been_present

Fresh = Callable[[str], str]

_VECTORS = SHARED / "data" / "topic_vectors.json"
_BY_HAND = [
    {"bindings": bindings, "key": key, "expected": expected}
    for bindings, keys in [
        (
            [["*.*.error", "errors"], ["mail.#", "mail"], ["#", "all"], ["mail.*.error", "mail"], ["", "empty"]],
            {
                "mail.web1.error": ["all", "errors", "mail"],
                "mail": ["all", "mail"],
                "ssh.web1.info": ["all"],
                "ssh.web1.error.x": ["all"],
                "": ["all", "empty"],
            },
        ),
        ([["a.#.b", "middle"], ["#.*", "some"], ["a..b", "gap"]], {"a.b": ["middle", "some"], "": [], "b": ["some"]}),
    ]
    for key, expected in keys.items()
]


def message(number: int, key: str = "a.b.info", size: int = 0) -> Message:
    return Message(key=key, body=b"%06d" % number + b"." * size)


def numbers(deliveries: Iterable[Delivery]) -> list[int]:
    return [int(delivery.message.body[:6]) for delivery in deliveries]


async def take(consumer: Consumer, count: int) -> list[Delivery]:
    """The next `count` deliveries."""
    async with asyncio.timeout(20):
        return [await anext(aiter(consumer)) for _ in range(count)]


async def publish(session: Session, exchange: str, messages: Iterable[Message]) -> None:
    """Publish in order, all on their way at once."""
    async with asyncio.timeout(20):
        await asyncio.gather(*[session.publish(exchange, each) for each in messages])


async def bound(session: Session, fresh: Fresh, kind: QueueKind, pattern: str = "#") -> tuple[str, str]:
    """A fresh exchange and a queue bound to it."""
    exchange, queue = fresh("exchange"), fresh("queue")
    await session.declare_exchange(exchange)
    await session.declare_queue(Queue(queue, kind))
    await session.bind(queue, exchange, pattern)
    return exchange, queue


@pytest.fixture(params=[QueueKind.INGRESS, QueueKind.HANDOFF], ids=["ingress", "handoff"])
def kind(request: pytest.FixtureRequest) -> QueueKind:
    return QueueKind(request.param)


@pytest.fixture
async def other(broker: Broker) -> AsyncIterator[Session]:
    """A second session, as of another process."""
    async with broker.session() as session:
        yield session


# Routing


async def check_routing(session: Session, fresh: Fresh, vectors: Sequence[dict[str, Any]]) -> None:
    """Publish the keys of vectors with the same bindings, and read each queue up to a mark."""
    exchange = fresh("exchange")
    await session.declare_exchange(exchange)
    queues = {
        name: fresh(f"q{place}") for place, name in enumerate(sorted({name for _, name in vectors[0]["bindings"]}))
    }
    for queue in queues.values():
        await session.declare_queue(Queue(queue, QueueKind.TAIL))
    for pattern, name in vectors[0]["bindings"]:
        await session.bind(queues[name], exchange, pattern)
    for place, vector in enumerate(vectors):
        await session.publish(exchange, message(place, vector["key"]), mandatory=False)
    for queue in queues.values():
        await session.publish("", message(len(vectors), queue))
    got: list[list[str]] = [[] for _ in vectors]
    for name, queue in queues.items():
        consumer = await session.consume(queue, prefetch=100)
        while (number := numbers(await take(consumer, 1))[0]) < len(vectors):
            got[number].append(name)
        await consumer.close()
    assert {vector["key"]: found for vector, found in zip(vectors, got, strict=True)} == {
        vector["key"]: sorted(vector["expected"]) for vector in vectors
    }


def grouped(vectors: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for vector in vectors:
        groups.setdefault(json.dumps(vector["bindings"]), []).append(vector)
    return list(groups.values())


@pytest.mark.parametrize("place", range(len(grouped(_BY_HAND))))
async def test_a_key_goes_to_each_queue_whose_pattern_matches_once(session: Session, fresh: Fresh, place: int) -> None:
    await check_routing(session, fresh, grouped(_BY_HAND)[place])


@needs_shared
async def test_published_topic_vectors(session: Session, fresh: Fresh) -> None:
    for place, vectors in enumerate(grouped(json.loads(_VECTORS.read_text()))):
        await check_routing(session, lambda name, place=place: fresh(f"{place}.{name}"), vectors)  # type: ignore[misc]


async def test_a_binding_can_be_taken_back(session: Session, fresh: Fresh, kind: QueueKind) -> None:
    exchange, queue = await bound(session, fresh, kind, "a.#")
    with pytest.raises(Unroutable):
        await session.publish(exchange, message(1, "b.x"))
    await session.bind(queue, exchange, "b.#")
    consumer = await session.consume(queue, prefetch=10)
    sent = [session.publish(exchange, message(2, "b.x")), session.publish(exchange, message(3, "a.x"))]
    deliveries = await take(consumer, 2)
    await session.unbind(queue, exchange, "a.#")
    await session.unbind(queue, exchange, "never.bound")
    with pytest.raises(Unroutable):
        await session.publish(exchange, message(4, "a.x"))
    sent.append(session.publish(exchange, message(5, "b.x")))
    deliveries += await take(consumer, 1)
    await consumer.ack(deliveries)
    await asyncio.gather(*sent)
    assert numbers(deliveries) == [2, 3, 5]


# Publishing


async def test_every_property_arrives_as_it_was_sent(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    full = Message(
        key="mail.web1.error",
        body=bytes(range(256)),
        type="logrouter.batch/1",
        content_type="application/x-ndjson",
        content_encoding="zstd",
        message_id="message-1",
        correlation_id="correlation-1",
        app_id="logrouter",
        timestamp=1_700_000_000.0,
        headers={
            "text": "Grüße",
            "empty": "",
            "integers": [0, -1, 255, 2**31, 2**40, -(2**63), 2**63 - 1],
            "yes": True,
            "no": False,
            "float": 0.1,
            "large": 1e300,
            "bytes": b"\x00\xff",
            "none": None,
            "list": ["a", 1, b"\xff", None, [1.5]],
            "table": {"a": {"b": [{"c": b"d"}]}},
        },
    )
    bare = Message(key="", body=b"")
    await publish(session, exchange, [full, bare])
    assert [delivery.message for delivery in await take(await session.consume(queue, prefetch=9), 2)] == [full, bare]


async def test_the_order_of_publish_calls_is_the_order_in_the_queue(
    session: Session, fresh: Fresh, kind: QueueKind
) -> None:
    exchange, queue = await bound(session, fresh, kind)
    consumer = await session.consume(queue, prefetch=3000)
    sizes = (10, 300_000, 0, 5000, 131_072)  # some over a frame of 128 KiB, one of exactly that size with its frame
    sent = [session.publish(exchange, message(n, size=sizes[n % 5] if n % 25 < 5 else 1)) for n in range(2000)]
    deliveries = await take(consumer, 2000)
    await consumer.ack(deliveries)
    await asyncio.gather(*sent)
    assert numbers(deliveries) == list(range(2000))
    assert [delivery.tag for delivery in deliveries] == list(range(1, 2001))


async def test_a_message_for_no_queue_is_unroutable_unless_that_is_allowed(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF, "known")
    sent = [
        session.publish(exchange, message(1, "known")),
        session.publish(exchange, message(2, "unknown")),
        session.publish(exchange, message(3, "unknown"), mandatory=False),
        session.publish("", message(4, fresh("no queue"))),
        session.publish("", message(5, queue)),
    ]
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Unroutable, type(None), Unroutable, type(None)]
    assert numbers(await take(await session.consume(queue, prefetch=9), 2)) == [1, 5]


async def test_copies_with_one_message_id_are_told_apart_when_some_are_unroutable(
    session: Session, fresh: Fresh
) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    copy = Message(key=queue, body=b"", message_id="the-same")
    keys = [queue, fresh("none"), fresh("none too"), queue]
    results = await asyncio.gather(
        *[session.publish("", replace(copy, key=key)) for key in keys], return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), Unroutable, Unroutable, type(None)]
    deliveries = await take(await session.consume(queue, prefetch=9), 2)
    assert [delivery.message for delivery in deliveries] == [copy, copy]


@pytest.mark.parametrize(
    "odd",
    [
        Message(key="k" * 256, body=b""),
        Message(key="ü" * 128, body=b""),
        Message(key="half a character: \udc80", body=b""),
        Message(key="k", body=b"", headers={"type": object()}),
        Message(key="k", body=b"", headers={"number": 2**64}),
        Message(key="k", body=b"", headers={"half a character": "\udc80"}),
        Message(key="k", body=bytes(MAX_BODY + 1)),
    ],
    ids=["key", "key in bytes", "key of no text", "type", "number", "surrogate", "body"],
)
async def test_what_cannot_be_carried_is_refused_and_the_session_goes_on(
    session: Session, fresh: Fresh, odd: Message
) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    sent = [session.publish(exchange, message(1)), session.publish(exchange, odd)]
    with pytest.raises(PublishRefused):
        await session.publish(exchange, odd, apart=True)
    sent.append(session.publish(exchange, message(1, "k" * 255)))
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), PublishRefused, type(None)]
    assert await session.depth(queue) == 2


async def test_the_largest_message_is_carried(session: Session, fresh: Fresh) -> None:
    await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
    await session.publish("", Message(key=fresh("queue"), body=bytes(MAX_BODY)))
    (delivery,) = await take(await session.consume(fresh("queue"), prefetch=9), 1)
    assert len(delivery.message.body) == MAX_BODY


async def test_publishing_to_an_exchange_that_nobody_declared_is_refused(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    for _ in range(2):
        with pytest.raises(NotFound, match=fresh("nowhere")):
            await session.publish(fresh("nowhere"), message(1))
    async with asyncio.timeout(20):
        while True:  # what is under way meanwhile may be refused as well
            with contextlib.suppress(NotFound):
                await session.publish(exchange, message(1))
                break
    assert await session.depth(queue) == 1


async def test_what_is_published_apart_is_refused_without_harm(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    for _ in range(2):
        with pytest.raises(NotFound, match=fresh("nowhere")):
            await session.publish(fresh("nowhere"), message(1), apart=True)
        with pytest.raises(Unroutable):
            await session.publish("", message(1, fresh("nobody")), apart=True)
        await session.publish(exchange, message(1), apart=True)
    await session.publish(exchange, message(1))
    assert await session.depth(queue) == 3


async def test_many_that_are_refused_apart_at_once_leave_the_session_whole(session: Session, fresh: Fresh) -> None:
    async def refused(turns: int) -> None:
        for _ in range(turns):  # each at its own moment of the answer to the one before
            await asyncio.sleep(0)
        with pytest.raises(NotFound, match=fresh("nowhere")):
            await session.publish(fresh("nowhere"), message(1), apart=True)

    for _ in range(10):
        await asyncio.gather(*map(refused, range(40)))


async def test_the_marker_is_absent_until_it_is_declared(session: Session, other: Session, fresh: Fresh) -> None:
    assert not await session.exchange_exists(fresh("ready"))
    assert not await session.exchange_exists(fresh("ready"))
    await other.declare_exchange(fresh("ready"))
    await other.declare_exchange(fresh("ready"))
    assert await session.exchange_exists(fresh("ready"))


async def test_a_router_has_been_here_once_its_queue_takes_probes(
    session: Session, other: Session, fresh: Fresh
) -> None:
    stop = asyncio.Event()

    async def is_here(instance: str) -> bool:
        return await asyncio.wait_for(router_has_been_present(session, instance, stop), 20)

    first, second = fresh("first"), fresh("second")
    assert not await is_here(first)
    await other.declare_exchange(REPORTS)
    await other.declare_queue(Queue(fresh("in"), QueueKind.INGRESS))
    assert not await is_here(first)
    await other.bind(fresh("in"), REPORTS, probe.key(first))
    consumer = await other.consume(fresh("in"), prefetch=9)
    asking = asyncio.create_task(is_here(first))
    deliveries = await take(consumer, 1)
    assert [probe.is_probe(each.message) for each in deliveries] == [True]
    await consumer.ack(deliveries)  # the embedded broker's ingress queue confirms with that
    assert await asking
    assert not await is_here(second)
    await consumer.close()
    await other.declare_exchange(marker(second))  # is no answer where a queue could have taken the probe
    assert not await is_here(second)
    asking = asyncio.create_task(is_here(first))  # nobody consumes now, so the embedded broker does not answer
    stop.set()
    await asking


# Queues


async def test_declaring_again_has_no_effect_and_otherwise_is_an_error(session: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await session.publish("", message(1, queue))
    await session.declare_queue(Queue(queue, QueueKind.HANDOFF))
    with pytest.raises(BrokerError, match=queue):
        await session.declare_queue(Queue(queue, QueueKind.INGRESS))
    assert await session.depth(queue) == 1


async def test_what_is_not_there_is_an_error_that_leaves_the_session(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    absent = fresh("absent")
    for call in (
        lambda: session.bind(absent, exchange, "#"),
        lambda: session.bind(queue, absent, "#"),
        lambda: session.depth(absent),
        lambda: session.purge(absent),
        lambda: session.consume(absent, prefetch=1),
    ):
        with pytest.raises(NotFound, match=absent):
            await call()
    await session.delete_queue(absent)
    await session.unbind(absent, exchange, "#")
    await session.publish("", message(1, queue))
    assert await session.depth(queue) == 1


async def test_a_deleted_queue_is_gone_with_its_bindings_and_messages(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await publish(session, exchange, map(message, range(3)))
    await session.delete_queue(queue)
    with pytest.raises(Unroutable):
        await session.publish(exchange, message(3))
    await session.declare_queue(Queue(queue, QueueKind.HANDOFF))
    assert await session.depth(queue) == 0
    with pytest.raises(Unroutable):
        await session.publish(exchange, message(4))


async def test_a_session_is_lost_when_a_queue_it_consumes_from_is_deleted(
    session: Session, other: Session, fresh: Fresh, kind: QueueKind
) -> None:
    _, queue = await bound(session, fresh, kind)
    consumer = await session.consume(queue, prefetch=1)
    await other.delete_queue(queue)
    with pytest.raises(SessionLost, match=queue):
        await take(consumer, 1)


async def test_purge_drops_what_is_ready_and_leaves_what_is_in_hand(session: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await publish(session, "", [message(n, queue) for n in range(5)])
    consumer = await session.consume(queue, prefetch=2)
    await take(consumer, 2)
    assert await session.depth(queue) == 3
    assert await session.purge(queue) == 3
    assert await session.depth(queue) == 0
    await consumer.close()
    assert numbers(await take(await session.consume(queue, prefetch=9), 2)) == [0, 1]


async def test_dead_letters_are_kept_and_can_be_read_back(session: Session, fresh: Fresh) -> None:
    dead = fresh("queue.dead")
    await session.declare_queue(Queue(dead, QueueKind.DEAD))
    await session.publish("", Message(key=dead, body=b"why", headers={"reason": "550", "attempts": 3}))
    assert await session.depth(dead) == 1
    consumer = await session.consume(dead, prefetch=1)
    (delivery,) = await take(consumer, 1)
    assert (delivery.message.body, delivery.message.headers) == (b"why", {"reason": "550", "attempts": 3})
    await consumer.close()
    (again,) = await take(await session.consume(dead, prefetch=1), 1)
    assert again.message.body == b"why"


# Consuming


async def test_no_more_than_prefetch_are_in_hand(session: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await publish(session, "", [message(n, queue) for n in range(10)])
    consumer = await session.consume(queue, prefetch=3)
    deliveries = await take(consumer, 3)
    assert await session.depth(queue) == 7
    assert consumer.drain() == []
    await consumer.ack(deliveries[:2])
    assert numbers(await take(consumer, 2)) == [3, 4]
    assert await session.depth(queue) == 5


async def test_no_more_bytes_than_the_budget_are_in_hand(session: Session, fresh: Fresh, kind: QueueKind) -> None:
    exchange, queue = await bound(session, fresh, kind)
    consumer = await session.consume(queue, prefetch=1000, budget=4 << 20)
    sent = [session.publish(exchange, message(n, size=1 << 20)) for n in range(30)]
    received: list[int] = []
    while len(received) < 30:
        deliveries = await take(consumer, 1)
        for _ in range(30):  # whatever is on its way has time to arrive
            await session.depth(queue)
        deliveries += consumer.drain()
        assert sum(len(each.message.body) for each in deliveries) < 6 << 20
        received += numbers(deliveries)
        await consumer.ack(deliveries)
    await asyncio.gather(*sent)
    assert received == list(range(30))


async def test_drain_gives_what_has_arrived(session: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    consumer = await session.consume(queue, prefetch=10)
    await publish(session, "", [message(n, queue) for n in range(10)])
    deliveries = await take(consumer, 1)
    async with asyncio.timeout(20):
        while len(deliveries) < 10:
            deliveries += consumer.drain() or await take(consumer, 1)
    assert numbers(deliveries) == list(range(10))


@pytest.mark.parametrize(
    ("acknowledged", "left"),
    [
        ([0, 1, 2, 3], [4, 5]),
        ([5, 3, 4], [0, 1, 2]),
        ([4, 0, 1], [2, 3, 5]),
        ([0, 1, 2, 3, 4, 5], []),
        ([], [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_what_is_acknowledged_in_any_order_does_not_come_again(
    session: Session, fresh: Fresh, acknowledged: list[int], left: list[int]
) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await publish(session, "", [message(n, queue) for n in range(6)])
    consumer = await session.consume(queue, prefetch=6)
    deliveries = await take(consumer, 6)
    await asyncio.gather(*[consumer.ack([deliveries[n]]) for n in acknowledged[:1]])
    await consumer.ack([deliveries[n] for n in acknowledged])  # the first of them once more: that is no error
    await consumer.close()
    again = await session.consume(queue, prefetch=9)
    back = await take(again, len(left))
    assert numbers(back) == left
    assert all(delivery.redelivered for delivery in back)
    assert await session.depth(queue) == 0


async def test_acknowledgements_at_once_from_several_tasks_and_amid_publishes(session: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    await session.declare_queue(Queue(fresh("elsewhere"), QueueKind.HANDOFF))
    await publish(session, "", [message(n, queue) for n in range(500)])
    consumer = await session.consume(queue, prefetch=500)
    deliveries = await take(consumer, 500)
    busy = [session.publish("", message(n, fresh("elsewhere"))) for n in range(1000)]

    async def acknowledge(first: int) -> None:
        for _ in range(first):  # turns of the loop, so that some begin while others are on their way
            await asyncio.sleep(0)
        await consumer.ack(deliveries[first : first + 3])

    await asyncio.gather(*map(acknowledge, range(0, 500, 2)), *busy)
    await session.publish("", message(500, queue))
    assert numbers(await take(consumer, 1)) == [500]
    await consumer.close()
    assert numbers(await take(await session.consume(queue, prefetch=9), 1)) == [500]
    assert await session.depth(queue) == 0


async def test_after_a_consumer_dies_its_messages_come_again_in_their_order(
    broker: Broker, session: Session, fresh: Fresh, kind: QueueKind
) -> None:
    exchange, queue = await bound(session, fresh, kind)
    async with broker.session() as dying:
        consumer = await dying.consume(queue, prefetch=10)
        sent = [session.publish(exchange, message(n)) for n in range(30)]
        deliveries = await take(consumer, 10)
        assert not any(delivery.redelivered for delivery in deliveries)
        await consumer.ack(deliveries[:4])
    again = await session.consume(queue, prefetch=50)
    deliveries = await take(again, 26)
    assert numbers(deliveries) == list(range(4, 30))
    assert [delivery.redelivered for delivery in deliveries[:6]] == [True] * 6
    assert not deliveries[-1].redelivered
    await again.ack(deliveries)
    await asyncio.gather(*sent)


async def test_a_closed_consumer_ends_and_its_messages_go_to_the_next_in_order(
    session: Session, fresh: Fresh, kind: QueueKind
) -> None:
    exchange, queue = await bound(session, fresh, kind)
    for _ in range(3):  # a router that pauses does this again and again
        consumer = await session.consume(queue, prefetch=4)
        _sent = [session.publish(exchange, message(n)) for n in range(3)] if _ == 0 else []
        deliveries = await take(consumer, 3)
        assert numbers(deliveries) == [0, 1, 2]
        await consumer.close()
        await consumer.close()
        assert [delivery async for delivery in consumer] == []
        assert consumer.drain() == []
        with pytest.raises(SessionLost):
            await consumer.ack(deliveries)


async def test_an_ingress_queue_has_one_active_consumer_the_oldest(
    session: Session, other: Session, fresh: Fresh
) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.INGRESS)
    first = await session.consume(queue, prefetch=2)
    second = await other.consume(queue, prefetch=9)
    sent = [session.publish(exchange, message(n)) for n in range(6)]
    assert numbers(await take(first, 2)) == [0, 1]
    await first.close()
    deliveries = await take(second, 6)
    assert numbers(deliveries) == [0, 1, 2, 3, 4, 5]
    await second.ack(deliveries)
    await asyncio.gather(*sent)


async def test_consumers_of_a_handoff_queue_share_the_work(session: Session, other: Session, fresh: Fresh) -> None:
    _, queue = await bound(session, fresh, QueueKind.HANDOFF)
    consumers = [await session.consume(queue, prefetch=1), await other.consume(queue, prefetch=1)]
    await publish(session, "", [message(n, queue) for n in range(4)])
    shares = await asyncio.gather(*[take(consumer, 1) for consumer in consumers])
    assert sorted(numbers(shares[0] + shares[1])) == [0, 1]
    assert await session.depth(queue) == 2


# Delay


async def test_a_delayed_message_goes_to_its_target_when_it_is_due(session: Session, fresh: Fresh) -> None:
    target, delay = fresh("target"), fresh("target.retry.1s")
    await session.declare_queue(Queue(target, QueueKind.HANDOFF))
    await session.declare_queue(Queue(delay, QueueKind.DELAY, delay=0.3, target=target))
    consumer = await session.consume(target, prefetch=9)
    began = time.monotonic()
    await publish(session, "", [replace(message(n, delay), headers={"attempts": n}) for n in range(3)])
    deliveries = await take(consumer, 3)
    assert time.monotonic() - began >= 0.3
    assert numbers(deliveries) == [0, 1, 2]
    assert [delivery.message.headers["attempts"] for delivery in deliveries] == [0, 1, 2]
    assert {delivery.message.key for delivery in deliveries} == {target}
    assert await session.depth(delay) == 0


async def test_a_delayed_message_waits_for_a_target_that_is_not_there_yet(session: Session, fresh: Fresh) -> None:
    target, delay, faster = fresh("target"), fresh("slow"), fresh("fast")
    await session.declare_queue(Queue(delay, QueueKind.DELAY, delay=0.01, target=target))
    await session.publish("", message(1, delay))
    await session.declare_queue(Queue(fresh("witness"), QueueKind.HANDOFF))
    await session.declare_queue(Queue(faster, QueueKind.DELAY, delay=0.1, target=fresh("witness")))
    await session.publish("", message(2, faster))
    await take(await session.consume(fresh("witness"), prefetch=1), 1)  # by now the first is long due
    await session.declare_queue(Queue(target, QueueKind.HANDOFF))
    assert numbers(await take(await session.consume(target, prefetch=1), 1)) == [1]


# Tail


async def test_a_tail_queue_is_bounded_and_drops_its_oldest(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.TAIL)
    size = TAIL_BYTES // 8
    for n in range(12):
        await session.publish(exchange, message(n, size=size - 6))
    consumer = await session.consume(queue, prefetch=1)
    deliveries = await take(consumer, 8)
    assert numbers(deliveries) == [4, 5, 6, 7, 8, 9, 10, 11]
    await consumer.ack(deliveries)


async def gone(session: Session, exchange: str, key: str) -> None:
    """Wait until no queue takes a key any more: RabbitMQ 4.3 may refuse what comes while it takes a TAIL queue away."""
    async with asyncio.timeout(20):
        while True:
            try:
                await session.publish(exchange, message(1, key))
            except Unroutable:
                return
            except PublishRefused:
                continue


async def test_a_tail_queue_makes_no_publisher_wait_and_goes_with_its_session(
    broker: Broker, session: Session, fresh: Fresh
) -> None:
    async with broker.session() as listening:
        exchange, queue = await bound(listening, fresh, QueueKind.TAIL, "mail.#")
        await listening.declare_queue(Queue(queue, QueueKind.TAIL))
        with pytest.raises(QueueTaken):
            await session.declare_queue(Queue(queue, QueueKind.TAIL))
        consumer = await listening.consume(queue, prefetch=1)
        await publish(session, exchange, [message(n, "mail.x") for n in range(50)])
        assert numbers(await take(consumer, 50)) == list(range(50))
    await gone(session, exchange, "mail.x")


async def test_a_tail_queue_goes_with_its_consumer_and_can_be_made_again(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.TAIL)
    consumer = await session.consume(queue, prefetch=1)
    await consumer.close()
    await gone(session, exchange, "a.b.info")
    await session.declare_queue(Queue(queue, QueueKind.TAIL))
    await session.publish("", message(2, queue))
    assert numbers(await take(await session.consume(queue, prefetch=1), 1)) == [2]


# Loss


async def test_when_a_session_ends_everything_on_it_ends_with_it(broker: Broker, fresh: Fresh) -> None:
    async with broker.session() as session:
        exchange, queue = await bound(session, fresh, QueueKind.INGRESS)
        consumer = await session.consume(queue, prefetch=1)
        idle = await session.consume(queue, prefetch=1)
        waiting = asyncio.create_task(take(idle, 1))
        watching = asyncio.create_task(session.lost())
        _sent = session.publish(exchange, message(1))
        (delivery,) = await take(consumer, 1)
        undecided = [session.publish(exchange, message(2)), session.publish(exchange, message(3))]
    assert await watching
    for call in (
        waiting,
        *undecided,
        session.publish(exchange, message(4)),
        session.publish(exchange, message(4), mandatory=False),
        session.depth(queue),
        session.purge(queue),
        session.declare_exchange(exchange),
        session.declare_queue(Queue(queue, QueueKind.INGRESS)),
        session.delete_queue(queue),
        session.exchange_exists(exchange),
        session.bind(queue, exchange, "#"),
        session.unbind(queue, exchange, "#"),
        session.consume(queue, prefetch=1),
        consumer.ack([delivery]),
        take(consumer, 1),
    ):
        with pytest.raises(SessionLost):
            await call
    await consumer.close()
    assert consumer.drain() == []
    assert not session.blocked


async def test_what_a_lost_publisher_has_sent_stays(broker: Broker, session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.INGRESS)
    consumer = await session.consume(queue, prefetch=9)
    async with broker.session() as publisher:
        _sent = [publisher.publish(exchange, message(n)) for n in range(3)]
        deliveries = await take(consumer, 3)
    await consumer.ack(deliveries)
    assert numbers(deliveries) == [0, 1, 2]


async def test_a_caller_that_gives_up_waiting_leaves_the_session_in_order(session: Session, fresh: Fresh) -> None:
    exchange, queue = await bound(session, fresh, QueueKind.HANDOFF)
    for turns in range(20):  # of the loop: before it is sent, while it is on its way, after its answer
        task = asyncio.create_task(session.depth(queue))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await session.depth(queue) == 0
    given_up = asyncio.ensure_future(session.publish(exchange, message(1)))
    given_up.cancel()
    await session.publish(exchange, message(2))
    assert await session.exchange_exists(exchange)
    assert numbers(await take(await session.consume(queue, prefetch=9), 2)) == [1, 2]


async def test_the_name_is_for_people(broker: Broker) -> None:
    assert broker.name
    assert "s3cret" not in broker.name
