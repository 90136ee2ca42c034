"""The router on both brokers: windows and foreign messages in, archive and dead letters out."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard
from corpus import read_archive
from parts import part
from routers import archiving, running, to_archive

from logrouter.broker.contract import EXCHANGE, Broker, Session
from logrouter.config.rules import load_rules
from logrouter.ledger.ledger import INGRESS, Ledger
from logrouter.observability import events
from logrouter.router import ingress as serving
from logrouter.router.commit import Committer
from logrouter.router.ingress import RouterSettings
from logrouter.rules.decision import Decide
from logrouter.rules.ruleset import RuleSet
from logrouter.wire.batch import TYPE, Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.record import original


class Bench:
    """A router's surroundings; `routing` runs one on them, and runs may follow each other on the same state."""

    def __init__(self, broker: Broker, directory: Path, instance: str) -> None:
        self.broker = broker
        self.directory = directory
        self.instance = instance

    @asynccontextmanager
    async def routing(self, hold: float = 60.0, decide: Decide = to_archive) -> AsyncIterator[Session]:
        """A router that runs, and a session to publish on; at the end all that is there is settled."""
        settings = RouterSettings(self.instance, hold=hold)
        routing = archiving(self.directory, settings, decide, severity=("error", "guessed"))
        async with running(self.broker, routing) as session:
            yield session

    def archived(self, source: str = "src") -> list[str]:
        return [record.message for record in read_archive(self.directory / "archive") if record.source == source]


def lines(from_: int, to: int) -> list[str]:
    return [f"line {line:04}" for line in range(from_, to)]


@pytest.fixture
async def bench(broker: Broker, tmp_path: Path, fresh: Callable[[str], str]) -> AsyncIterator[Bench]:
    made = Bench(broker, tmp_path, fresh("main").replace(".", "-"))
    yield made
    async with broker.session() as session:
        await session.delete_queue(f"logrouter.{made.instance}")


async def send(session: Session, *messages: Message) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(session.publish(EXCHANGE, message) for message in messages))


async def test_windows_become_an_archive(bench: Bench) -> None:
    keys = ("app.h1.info", "app.h1.error")
    async with bench.routing() as session:
        await send(session, *(to_message(part(0, 10, number=number, keys=keys)) for number in (0, 1)))
        await send(session, to_message(part(10, 20)))
    assert bench.archived() == lines(0, 20)


async def test_what_comes_again_is_dropped_in_this_run_and_the_next(bench: Bench) -> None:
    async with bench.routing() as session:
        await send(session, to_message(part(0, 10)), to_message(part(0, 10)))
        await send(session, to_message(part(0, 10)))
    async with bench.routing() as session:
        await send(session, to_message(part(5, 15)))
    assert bench.archived() == lines(0, 15)


async def test_windows_that_come_in_the_wrong_order_are_put_right(bench: Bench) -> None:
    async with bench.routing() as session:
        await send(session, *(to_message(part(start, start + 10)) for start in (20, 0, 10)))
    assert bench.archived() == lines(0, 30)


async def test_a_gap_is_given_up_after_the_hold_and_filled_late(bench: Bench) -> None:
    before = events.WINDOW_GAP.count()
    async with bench.routing(hold=0.0) as session:
        await send(session, to_message(part(10, 20)))
        while events.WINDOW_GAP.count() == before:
            await asyncio.sleep(0.01)
        await send(session, to_message(part(0, 10)))
    assert bench.archived() == lines(10, 20) + lines(0, 10)


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("mail.mx1.warning", b"hello", ("mail", "mx1", "warning", "hello")),
        ("orders.created", b'{"id": 1}\n', ("orders", "-", "error", '{"id": 1}')),
        ("", b"", ("-", "-", "error", "")),
        ("a.b.c.d.e", b"\xff\x00\r\n", ("a", "-", "error", "\ufffd\x00")),
        ("x", b"zwei\nZeilen", ("x", "-", "error", "zwei\nZeilen")),
    ],
)
async def test_foreign_messages_become_records(
    bench: Bench, key: str, body: bytes, expected: tuple[str, str, str, str]
) -> None:
    async with bench.routing() as session:
        await send(session, Message(key=key, body=body, headers={"n": 1, "nested": {"a": [None]}}))
    (record,) = (record for record in read_archive(bench.directory / "archive") if record.source == "-")
    assert (record.service, record.host, record.severity, record.message) == expected
    assert original(record) in (body, body + b"\n")


async def test_a_foreign_message_sent_twice_under_one_id_is_archived_once(bench: Bench) -> None:
    message = Message(key="x.y.info", body=b"once", message_id=bench.instance)
    async with bench.routing() as session:
        await send(session, message)
        await send(session, message, dataclasses.replace(message, message_id=f"{bench.instance}-2"))
    async with bench.routing() as session:
        await send(session, message)
    assert bench.archived("-") == ["once", "once"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "logrouter.batch/9"}, "newer"),
        ({"headers": {}}, "x-logrouter-keys"),
        ({"type": "", "content_encoding": "gzip"}, "does not decompress"),
    ],
)
async def test_what_says_it_is_ours_and_is_not_goes_to_the_dead_letters(
    bench: Bench, changes: dict[str, object], reason: str
) -> None:
    before = events.DEAD_LETTER.count()
    broken = dataclasses.replace(to_message(part(0, 10)), **changes)  # type: ignore[arg-type]  # fields by name
    async with bench.routing() as session:
        await send(session, broken, to_message(part(0, 10, source="other")))
        dead = await session.consume(f"logrouter.{bench.instance}.dead", prefetch=10)
        async with asyncio.timeout(20):
            delivery = await anext(aiter(dead))
        await dead.ack([delivery])
        await dead.close()
    message = delivery.message
    assert message.body == broken.body
    assert message.headers["x-logrouter-key"] == "app.h1.info"
    assert reason in message.headers["x-logrouter-reason"]
    assert events.DEAD_LETTER.count() == before + 1
    assert bench.archived("other") == lines(0, 10)


async def test_a_broken_body_does_not_hold_the_rest_of_its_window(bench: Bench) -> None:
    keys = ("app.h1.info", "app.h1.error")
    broken = dataclasses.replace(to_message(part(0, 10, number=0, keys=keys)), body=b"{nonsense\n")
    async with bench.routing() as session:
        await send(session, broken, to_message(part(0, 10, number=1, keys=keys)), to_message(part(10, 12)))
        while await session.depth(f"logrouter.{bench.instance}.dead") == 0:
            await asyncio.sleep(0.01)
        await session.purge(f"logrouter.{bench.instance}.dead")
    assert bench.archived() == [line for n, line in enumerate(lines(0, 10)) if n % 2] + lines(10, 12)


async def test_a_window_that_claims_what_it_has_no_records_for_hides_nothing(bench: Bench) -> None:
    before = events.WINDOW_INCOMPLETE.count()
    forged = dataclasses.replace(part(0, 1), to=1 << 62)
    async with bench.routing() as session:
        await send(session, to_message(forged))
        await send(session, to_message(part(0, 10)))
    assert bench.archived() == lines(0, 10)
    assert events.WINDOW_INCOMPLETE.count() == before + 1
    ledger = Ledger(bench.directory / "state", bench.instance)
    assert list(ledger.extents(INGRESS, "src")) == [(0, 100)]
    ledger.close()


async def test_a_zstd_body_is_archived_like_any_other(bench: Bench) -> None:
    plain = to_message(part(0, 10))
    packed = dataclasses.replace(plain, body=zstandard.compress(plain.body), content_encoding="zstd")
    assert packed.type == TYPE
    async with bench.routing() as session:
        await send(session, packed)
    assert bench.archived() == lines(0, 10)


def odd(body: bytes) -> Part:
    """A part that says it has three lines, and has these."""
    return dataclasses.replace(part(0, 3), body=body)


def line(number: int) -> bytes:
    return part(number, number + 1).body


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(b"{not JSON}\n", id="no JSON"),
        pytest.param(b'{"ts": "2026-11-22T10:00:00Z"}\n', id="no position"),
        pytest.param(line(7), id="outside its window"),
        pytest.param(part(1, 2, source="a victim").body, id="of another source"),
        pytest.param(b"\xff\xfe\n", id="no UTF-8"),
    ],
)
async def test_a_poison_record_is_a_dead_letter_alone(bench: Bench, second: bytes) -> None:
    async with bench.routing() as session:
        await send(session, to_message(odd(line(0) + second + line(2))), to_message(part(3, 5)))
        dead = await session.consume(f"logrouter.{bench.instance}.dead", prefetch=10)
        async with asyncio.timeout(20):
            delivery = await anext(aiter(dead))
        await dead.ack([delivery])
        await dead.close()
        assert delivery.message.body == second
        assert delivery.message.headers["x-logrouter-reason"]
    assert bench.archived() == ["line 0000", "line 0002", "line 0003", "line 0004"]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(b'{"pos": 10, "end": 20}\n', id="nothing but a place"),
        pytest.param(b'{"pos": 10, "end": 20, "ts": 5, "message": [], "source": "src"}\n', id="fields of other types"),
        pytest.param(b'{"pos": 10,\r"end": 20, "message": "a carriage return"}\n', id="carriage return in the JSON"),
        pytest.param(b'{"pos": 10, "end": 20, "ts": "yesterday", "source": "src"}\n', id="no time"),
    ],
)
async def test_an_odd_record_is_archived_as_it_came(bench: Bench, second: bytes) -> None:
    """Whoever looks into it (a rule, a filing by day) sees its line as a message; the archive has its bytes."""
    across_days = dataclasses.replace(odd(line(0) + second + line(2)), last=1795341600000 + 86_400_000)
    rules = bench.directory / "rules.yaml"
    rules.write_text(
        "destinations: {archive: {type: archive}}\n"
        "rules: [{name: looks, when: {message: {contains: zebra}}, to: discard}]\n"
    )
    async with bench.routing(decide=RuleSet(load_rules([rules]))) as session:
        await send(session, to_message(across_days))
    (path,) = (bench.directory / "archive").rglob("*.gz")
    assert gzip.decompress(path.read_bytes()) == across_days.body


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"first": 10**17, "last": 10**17}, id="a time in the far future"),
        pytest.param({"first": -(10**17)}, id="a time in the far past"),
        pytest.param({"count": 0, "body": b""}, id="no records"),
    ],
)
async def test_a_part_that_cannot_be_is_a_dead_letter(bench: Bench, changes: dict[str, Any]) -> None:
    async with bench.routing() as session:
        await send(session, to_message(dataclasses.replace(part(0, 3), **changes)), to_message(part(0, 3, "other")))
        while await session.depth(f"logrouter.{bench.instance}.dead") == 0:
            await asyncio.sleep(0.01)
        await session.purge(f"logrouter.{bench.instance}.dead")
    assert bench.archived("other") == lines(0, 3)


async def test_an_empty_range_is_a_poison_record(bench: Bench) -> None:
    empty = b'{"pos": 10, "end": 10, "message": "nowhere", "source": "src"}\n'
    async with bench.routing() as session:
        await send(session, to_message(odd(line(0) + empty + line(2))))
        while await session.depth(f"logrouter.{bench.instance}.dead") == 0:
            await asyncio.sleep(0.01)
        await session.purge(f"logrouter.{bench.instance}.dead")
    assert bench.archived() == ["line 0000", "line 0002"]


async def test_an_id_that_is_used_for_something_else_is_no_repeat(bench: Bench) -> None:
    async with bench.routing() as session:
        for body in (b"one", b"two", b"one"):
            await session.publish(EXCHANGE, Message("app.h1.info", body, message_id="1"))
    assert sorted(record.message for record in read_archive(bench.directory / "archive")) == ["one", "two"]


async def test_what_is_finished_is_put_away_under_load_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that is due whenever the last one is committed leaves no idle moment."""
    tidied = asyncio.Event()

    async def tidy(commits: Committer) -> None:
        tidied.set()

    monkeypatch.setattr(serving, "_GROUP_SECONDS", 0.0)
    monkeypatch.setattr(Committer, "tidy", tidy)
    async with bench.routing() as session:
        number = 0
        tidied.clear()
        while not tidied.is_set():
            await session.publish(EXCHANGE, to_message(part(number, number + 1)))
            number += 1
    assert bench.archived() == lines(0, number)
