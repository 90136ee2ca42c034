"""What only a real RabbitMQ can show: its death and return, its nacks and alarms, and what foreigners publish."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiormq
import pytest
from needs import needs
from pamqp.commands import Basic
from rabbitmq_node import PASSWORD, USER, RabbitNode

from logrouter.broker import amqp
from logrouter.broker.amqp import AmqpBroker
from logrouter.broker.amqp.properties import UNREADABLE, EncodedProperties
from logrouter.broker.contract import Consumer, Delivery, Queue, QueueKind, Session
from logrouter.errors import Forbidden, NotFound, PublishRefused, SessionLost, Unroutable
from logrouter.observability.events import BROKER_BLOCKED, BROKER_UNBLOCKED
from logrouter.wire.message import Message

pytestmark = pytest.mark.rabbitmq
Fresh = Callable[[str], str]


@pytest.fixture
def broker(rabbitmq: RabbitNode) -> AmqpBroker:
    return AmqpBroker([rabbitmq.url])


@pytest.fixture
async def raw(rabbitmq: RabbitNode) -> AsyncIterator[aiormq.Channel]:
    """A channel of a foreign client."""
    async with aiormq.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        assert isinstance(channel, aiormq.Channel)
        yield channel


async def take(consumer: Consumer, count: int) -> list[Delivery]:
    async with asyncio.timeout(30):
        return [await anext(aiter(consumer)) for _ in range(count)]


async def read_all(session: Session, queue: str, count: int) -> set[bytes]:
    """Bodies of a queue until there are `count` different ones; some may come twice."""
    consumer = await session.consume(queue, prefetch=1000)
    bodies: set[bytes] = set()
    while len(bodies) < count:
        deliveries = [*await take(consumer, 1), *consumer.drain()]
        bodies |= {delivery.message.body for delivery in deliveries}
        await consumer.ack(deliveries)
    return bodies


# Death and return


async def test_a_killed_broker_ends_the_session_and_keeps_what_it_confirmed(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh
) -> None:
    kinds = {kind: fresh(kind.value) for kind in (QueueKind.INGRESS, QueueKind.HANDOFF, QueueKind.DEAD)}
    async with broker.session() as session:
        await session.declare_exchange(fresh("log"))
        for kind, name in kinds.items():
            await session.declare_queue(Queue(name, kind))
            await session.bind(name, fresh("log"), "#")
        consumer = await session.consume(kinds[QueueKind.INGRESS], prefetch=5)
        bodies = {b"%d" % number for number in range(100)}
        await asyncio.gather(*[session.publish(fresh("log"), Message(key="k", body=body)) for body in bodies])
        held = await take(consumer, 5)
        # RabbitMQ 3.10 writes the name of a new quorum queue to disk within a second; killed before that, it comes
        # back with the newest queue empty. A queue made after the others pushes their names out at once.
        await session.declare_queue(Queue(fresh("newest"), QueueKind.DEAD))
        rabbitmq.pause()  # what is published from here on is never answered
        pending = [session.publish(fresh("log"), Message(key="k", body=body)) for body in bodies]
        asking = asyncio.create_task(session.depth(kinds[QueueKind.DEAD]))
        waiting = asyncio.create_task(session.lost())
        await asyncio.sleep(0)
        rabbitmq.kill()
        assert await asyncio.wait_for(waiting, 30)
        calls: list[Awaitable[object]] = [*pending, asking, consumer.ack(held), take(consumer, 6), session.depth("any")]
        for call in calls:
            with pytest.raises(SessionLost):
                await call
    with pytest.raises(SessionLost):
        async with broker.session():
            pass
    rabbitmq.start()
    async with broker.session() as session:
        for name in kinds.values():
            assert await read_all(session, name, 100) == bodies
        assert await session.exchange_exists(fresh("log"))


async def test_delayed_messages_survive_a_stop_of_the_broker(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh
) -> None:
    target, delay = fresh("target"), fresh("target.retry")
    bodies = {b"%d" % number for number in range(2000)}
    async with broker.session() as session:
        await session.declare_queue(Queue(target, QueueKind.HANDOFF))
        await session.declare_queue(Queue(delay, QueueKind.DELAY, delay=0.3, target=target))
        await asyncio.gather(*[session.publish("", Message(key=delay, body=body)) for body in bodies])
        consumer = await session.consume(target, prefetch=10)
        await take(consumer, 1)  # they are on their way from one queue to the other
        rabbitmq.stop()
    rabbitmq.start()
    async with broker.session() as session:
        assert await read_all(session, target, 2000) == bodies


async def test_a_broker_that_does_not_answer_is_lost_after_a_while(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp.session, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(amqp.session, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(amqp.broker, "CONNECT_SECONDS", 0.2)
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        consumer = await session.consume(fresh("queue"), prefetch=1)
        rabbitmq.pause()
        try:
            pending = session.publish("", Message(key=fresh("queue"), body=bytes(10_000_000)))
            with pytest.raises(SessionLost, match="no answer"):
                await session.depth(fresh("queue"))
            with pytest.raises(SessionLost, match="no answer"):
                await pending
            await consumer.close()
            with pytest.raises(SessionLost, match="no answer"):
                async with broker.session():
                    pass
            await session.close()
            assert asyncio.all_tasks() == {asyncio.current_task()}  # and nothing goes on sending in secret
        finally:
            rabbitmq.resume()


async def test_a_session_is_lost_when_the_broker_closes_a_consumers_channel(broker: AmqpBroker, fresh: Fresh) -> None:
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        consumer = await session.consume(fresh("queue"), prefetch=1)
        await consumer._channel.basic_ack(999)
        with pytest.raises(SessionLost, match="unknown delivery tag"):
            await take(consumer, 1)
        assert "unknown delivery tag" in await session.lost()


# Connecting


@pytest.fixture
def closed_port() -> int:
    with asyncio.Runner() as runner:
        server = runner.run(asyncio.start_server(lambda *_: None, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        server.close()
        return int(port)


async def test_hosts_are_tried_in_turn(rabbitmq: RabbitNode, closed_port: int) -> None:
    broker = AmqpBroker([f"amqp://router:{PASSWORD}@127.0.0.1:{closed_port}/", rabbitmq.url])
    for _ in range(2):
        async with broker.session() as session:
            assert not await session.exchange_exists("none")


async def test_passwords_appear_nowhere(
    rabbitmq: RabbitNode, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for library in ("aiormq", "aio_pika"):
        caplog.set_level(logging.DEBUG, logger=library)
    wrong = rabbitmq.url.replace(PASSWORD, "a-wrong-password")
    closed = f"amqp://router:{PASSWORD}@127.0.0.1:{closed_port}/?name=x"
    broker = AmqpBroker([closed, wrong])
    with pytest.raises(SessionLost) as caught:
        async with broker.session():
            pass
    reason = str(caught.value)
    assert "ACCESS_REFUSED" in reason
    assert "Connect call failed" in reason
    async with AmqpBroker([rabbitmq.url]).session() as session:
        await session.exchange_exists("none")
        with pytest.raises(NotFound):
            await session.publish("nowhere", Message(key="k", body=b""))
    everything = "".join([broker.name, reason, caplog.text, *traceback.format_exception(caught.value)])
    assert PASSWORD not in everything
    assert "a-wrong-password" not in everything
    assert f"amqp://router@127.0.0.1:{closed_port}/" in broker.name


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A key, and a certificate for 127.0.0.1 that no authority has signed."""
    needs("openssl")
    key, signed = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-nodes", "-keyout", str(key), "-out", str(signed)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    return key, signed


async def test_tls_is_verified(certificate: tuple[Path, Path]) -> None:
    key, signed = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed, key)
    greeted = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(8)).startswith(b"AMQP")
        greeted.set()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    url = f"amqps://router:{PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        with pytest.raises(SessionLost, match="CERTIFICATE_VERIFY_FAILED"):
            async with AmqpBroker([url]).session():
                pass
        assert not greeted.is_set()
        with pytest.raises(SessionLost):
            async with AmqpBroker([f"{url}?cafile={signed}"]).session():
                pass
        assert greeted.is_set()


# What the broker answers


async def test_a_nack_is_a_refusal_of_that_message_alone(broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh) -> None:
    full: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await raw.queue_declare(fresh("full"), exclusive=True, arguments=full)
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("empty"), QueueKind.HANDOFF))
        keys = [fresh("full"), fresh("full"), fresh("empty"), fresh("full")]
        results = await asyncio.gather(
            *[session.publish("", Message(key=key, body=b"")) for key in keys], return_exceptions=True
        )
        assert [type(result) for result in results] == [type(None), PublishRefused, type(None), PublishRefused]


@pytest.fixture
def limited(rabbitmq: RabbitNode) -> Iterator[int]:
    """The node takes messages of at most so many bytes, for channels that are opened meanwhile."""
    setting = "application:set_env(rabbit, max_message_size, {0}), persistent_term:put(max_message_size, {0})."
    limit = 10_000
    rabbitmq.control("eval", setting.format(limit))
    yield limit
    rabbitmq.control("eval", setting.format(128 << 20))


async def test_a_message_that_is_too_large_for_the_broker_is_refused_and_the_session_goes_on(
    broker: AmqpBroker, limited: int, fresh: Fresh
) -> None:
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        small, large = Message(fresh("queue"), b"small"), Message(fresh("queue"), bytes(limited + 1))
        await session.publish("", small)
        answers = [session.publish("", each) for each in (small, large, small)]
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert f"takes messages of at most {limited} bytes" in str(results[1])
        # Of those that were under way beside it the broker says nothing: they are to be sent again.
        assert isinstance(results[1], PublishRefused)
        assert all(isinstance(result, PublishRefused | None) for result in results)
        async with asyncio.timeout(20):
            while True:
                try:
                    await session.publish("", small)
                    break
                except PublishRefused:
                    await asyncio.sleep(0)
        answers = [session.publish("", each) for each in (small, large, small)]  # now it is known beforehand
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), PublishRefused, type(None)]
        with pytest.raises(PublishRefused, match=f"at most {limited} bytes"):
            await session.publish("", large, apart=True)
    async with broker.session() as session:
        with pytest.raises(PublishRefused, match=f"at most {limited} bytes"):
            await session.publish("", large, apart=True)
        await session.publish("", small, apart=True)


async def test_a_user_that_may_not_ask_is_told_what_it_needs(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh
) -> None:
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        await session.declare_exchange(fresh("exchange"))
    rabbitmq.control("add_user", fresh("user"), PASSWORD)
    rabbitmq.control("set_permissions", fresh("user"), "^$", "^$", "^$")
    least = AmqpBroker([rabbitmq.url.replace(f"{USER}:", f"{fresh('user')}:")])
    async with least.session() as session:
        if rabbitmq.version < (4, 2, 6):
            assert await session.depth(fresh("queue")) == 0
            assert await session.exchange_exists(fresh("exchange"))
            return
        for name, asking in (("queue", session.depth), ("exchange", session.exchange_exists)):
            with pytest.raises(Forbidden) as caught:
                await asking(fresh(name))
            assert caught.value.remedy == f"give its user write on {fresh(name)!r} (rabbitmqctl set_permissions)"
        rabbitmq.control("set_permissions", fresh("user"), "^$", f"^{fresh('queue')}$", "^$")
        assert await session.depth(fresh("queue")) == 0


async def test_a_publish_that_is_forbidden_is_no_loss(broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh) -> None:
    async with broker.session() as session:
        await session.declare_exchange(fresh("log"))
    rabbitmq.control("add_user", fresh("user"), PASSWORD)
    rabbitmq.control("set_permissions", fresh("user"), "^$", "^$", "^$")
    least = AmqpBroker([rabbitmq.url.replace(f"{USER}:", f"{fresh('user')}:")])
    async with least.session() as session:
        answers = [session.publish(fresh("log"), Message(key="k", body=b"")) for _ in range(20)]
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert {type(result) for result in results} == {Forbidden}
        with pytest.raises(Forbidden, match=fresh("log")) as caught:
            await session.publish(fresh("log"), Message(key="k", body=b""))
        assert caught.value.remedy == f"give its user write on {fresh('log')!r} (rabbitmqctl set_permissions)"


async def test_headers_that_fit_in_no_frame_are_refused_before_they_end_the_connection(
    broker: AmqpBroker, fresh: Fresh
) -> None:
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        with pytest.raises(PublishRefused, match="headers"):
            await session.publish("", Message(key=fresh("queue"), body=b"", headers={"keys": ["k" * 200] * 1000}))
        large = {"keys": ["k" * 200] * 600}
        long = "x" * 300
        await session.publish("", Message(fresh("queue"), b"", long, long, long, long, long, long, headers=large))
        (delivery,) = await take(await session.consume(fresh("queue"), prefetch=1), 1)
        assert delivery.message.headers == large
        assert delivery.message.correlation_id == "x" * 255


async def test_blocked_is_said_once_and_ends_by_itself(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp.session, "BLOCKED_EVERY_SECONDS", 0.05)
    before = BROKER_BLOCKED.count(), BROKER_UNBLOCKED.count()
    async with broker.session() as session:
        await session.declare_queue(Queue(fresh("queue"), QueueKind.HANDOFF))
        assert not session.blocked
        rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
        try:
            sent = [session.publish("", Message(key=fresh("queue"), body=bytes(100_000))) for _ in range(20)]
            async with asyncio.timeout(20):
                while not session.blocked:
                    await asyncio.sleep(0.01)
            assert not sent[-1].done()
        finally:
            rabbitmq.control("set_vm_memory_high_watermark", "0.4")
        await asyncio.wait_for(asyncio.gather(*sent), 20)
        async with asyncio.timeout(20):
            while session.blocked:
                await asyncio.sleep(0.01)
    assert (BROKER_BLOCKED.count(), BROKER_UNBLOCKED.count()) == (before[0] + 1, before[1] + 1)


async def test_queues_have_the_settings_that_lose_nothing(
    broker: AmqpBroker, rabbitmq: RabbitNode, fresh: Fresh
) -> None:
    async with broker.session() as session:
        for kind in QueueKind:
            await session.declare_queue(Queue(fresh(kind.value), kind, delay=1.5, target=fresh("handoff")))
        listed = rabbitmq.control("list_queues", "--no-table-headers", "name", "arguments")
    found = dict(line.split("\t") for line in listed.splitlines() if line.startswith(fresh("")))
    for kind in (QueueKind.INGRESS, QueueKind.HANDOFF, QueueKind.DELAY, QueueKind.DEAD):
        assert '"x-queue-type","quorum"' in found[fresh(kind.value)]
        assert '"x-delivery-limit",1000000' in found[fresh(kind.value)]
        assert ('"x-single-active-consumer",true' in found[fresh(kind.value)]) == (kind is QueueKind.INGRESS)
    for setting in (
        '"x-message-ttl",1500',
        '"x-dead-letter-strategy","at-least-once"',
        '"x-overflow","reject-publish"',
    ):
        assert setting in found[fresh("delay")]
    assert '"x-overflow","drop-head"' in found[fresh("tail")]


# Foreign publishers


@asynccontextmanager
async def listening(broker: AmqpBroker, queue: str) -> AsyncIterator[tuple[Session, Consumer]]:
    async with broker.session() as session:
        await session.declare_queue(Queue(queue, QueueKind.HANDOFF))
        yield session, await session.consume(queue, prefetch=10)


async def test_a_bare_foreign_message(broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh) -> None:
    async with listening(broker, fresh("queue")) as (_, consumer):
        properties = Basic.Properties(message_id="m")  # the client would invent one
        await raw.basic_publish(b"a line", routing_key=fresh("queue"), properties=properties)
        (delivery,) = await take(consumer, 1)
    assert delivery.message == Message(key=fresh("queue"), body=b"a line", message_id="m")


async def test_headers_of_every_type_arrive(broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh) -> None:
    moment = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    headers: dict[str, Any] = {
        "text": "x",
        "integer": -5,
        "large": 2**40,
        "float": 1.5,
        "decimal": Decimal("12.34"),
        "bytes": bytearray(b"\xff\x00"),
        "time": moment,
        "table": {"list": [1, {"deep": bytearray(b"d")}, None], "empty": {}},
        "nothing": None,
        "truth": True,
    }
    properties = Basic.Properties(headers=headers, timestamp=moment, priority=5, reply_to="r", expiration="60000")
    async with listening(broker, fresh("queue")) as (session, consumer):
        await raw.basic_publish(b"", routing_key=fresh("queue"), properties=properties)
        (delivery,) = await take(consumer, 1)
        assert delivery.message.timestamp == moment.timestamp()
        assert delivery.message.headers == headers | {
            "bytes": b"\xff\x00",
            "table": {"list": [1, {"deep": b"d"}, None], "empty": {}},
        }
        await session.publish("", delivery.message)
        (copy,) = await take(consumer, 1)
    assert copy.message == delivery.message


class Latin(str):
    """Text that is sent as Latin-1, as careless clients do."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("latin-1")


async def test_text_that_is_no_utf_8_does_not_end_the_connection(
    broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh
) -> None:
    async with listening(broker, fresh("queue")) as (session, consumer):
        await session.declare_exchange(fresh("log"))
        await session.bind(fresh("queue"), fresh("log"), "#")
        properties = Basic.Properties(correlation_id=Latin("ü"), headers={Latin("é"): 1}, app_id="good")
        key = Latin("café.h.info")
        await raw.basic_publish(b"body", exchange=fresh("log"), routing_key=key, properties=properties)
        (delivery,) = await take(consumer, 1)
        message = delivery.message
        assert (message.key, message.body) == (r"caf\xe9.h.info", b"body")
        assert (message.correlation_id, message.app_id) == (r"\xfc", "good")
        assert message.headers == {UNREADABLE: b"\x01\xe9b\x01"}
        await session.publish("", Message(key=fresh("queue"), body=b"", headers=message.headers))
        assert (await take(consumer, 1))[0].message.headers == message.headers


@pytest.mark.parametrize("stamp", [2**63 - 1, 253_402_300_800_000, 2**64 - 1])
async def test_times_beyond_the_calendar_do_not_end_the_connection(
    broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh, stamp: int
) -> None:
    properties = EncodedProperties()
    properties.timestamp = stamp.to_bytes(8, "big")
    properties.headers = (3 + 8).to_bytes(4, "big") + b"\x01tT" + stamp.to_bytes(8, "big")
    async with listening(broker, fresh("queue")) as (_, consumer):
        await raw.basic_publish(b"body", routing_key=fresh("queue"), properties=properties)
        (delivery,) = await take(consumer, 1)
    assert delivery.message.body == b"body"
    assert delivery.message.timestamp is None
    assert delivery.message.headers == {"t": stamp}


@pytest.mark.parametrize("levels", [33, 400, 5000])
async def test_tables_nested_deep_do_not_end_the_connection(
    broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh, levels: int
) -> None:
    table = b""
    for _ in range(levels):
        table = b"\x01tF" + len(table).to_bytes(4, "big") + table
    properties = EncodedProperties()
    properties.headers = len(table).to_bytes(4, "big") + table
    async with listening(broker, fresh("queue")) as (_, consumer):
        await raw.basic_publish(b"body", routing_key=fresh("queue"), properties=properties)
        (delivery,) = await take(consumer, 1)
    assert delivery.message.body == b"body"
    assert list(delivery.message.headers) == [UNREADABLE]


async def test_a_copy_does_not_carry_what_the_broker_would_act_on(
    broker: AmqpBroker, raw: aiormq.Channel, fresh: Fresh
) -> None:
    async with listening(broker, fresh("queue")) as (session, consumer):
        await session.declare_queue(Queue(fresh("victim"), QueueKind.HANDOFF))
        properties = Basic.Properties(headers={"CC": [fresh("victim")], "x-death": [{"queue": "q"}], "own": 1})
        await raw.basic_publish(b"", routing_key=fresh("queue"), properties=properties)
        (delivery,) = await take(consumer, 1)
        assert delivery.message.headers["CC"] == [fresh("victim")]
        await session.purge(fresh("victim"))
        await session.publish("", delivery.message)
        assert (await take(consumer, 1))[0].message.headers == {"own": 1}
        assert await session.depth(fresh("victim")) == 0


async def test_a_returned_copy_is_told_from_a_confirmed_one(broker: AmqpBroker, fresh: Fresh) -> None:
    async with listening(broker, fresh("queue")) as (session, consumer):
        same = [Message(key=key, body=b"", message_id="m") for key in (fresh("none"), fresh("queue"), fresh("no"))]
        results = await asyncio.gather(*[session.publish("", each) for each in same], return_exceptions=True)
        assert [type(result) for result in results] == [Unroutable, type(None), Unroutable]
        assert (await take(consumer, 1))[0].message.message_id == "m"
