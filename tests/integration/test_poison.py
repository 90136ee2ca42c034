"""Whatever one message, slice or window comes to, the rest flows and the router goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from corpus import read_archive
from parts import part
from routers import archiving, running, to_archive

from logrouter.broker.contract import EXCHANGE, Broker, Session
from logrouter.router.ingress import RouterSettings
from logrouter.rules.decision import Decide, Decision
from logrouter.wire.batch import to_message
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.slices import Slice

POISON = "poison"


class Site:
    """An archive and a router that can be run on it, on any broker."""

    def __init__(self, broker: Broker, directory: Path, instance: str) -> None:
        self.broker = broker
        self.directory = directory
        self.instance = instance
        self.dead = f"logrouter.{instance}.dead"

    @asynccontextmanager
    async def routing(self, decide: Decide = to_archive, path: str = "{service}.jsonl.gz") -> AsyncIterator[Session]:
        routing = archiving(self.directory, RouterSettings(self.instance), decide, path=path)
        async with running(self.broker, routing) as session:
            yield session

    def archived(self) -> list[str]:
        return sorted(record.message[:40] for record in read_archive(self.directory / "archive"))

    async def dead_letters(self) -> list[Message]:
        async with self.broker.session() as session:
            count = await session.depth(self.dead)
            consumer = await session.consume(self.dead, prefetch=100)
            return [(await anext(aiter(consumer))).message for _ in range(count)]


@pytest.fixture
async def site(broker: Broker, tmp_path: Path, fresh: Callable[[str], str]) -> AsyncIterator[Site]:
    made = Site(broker, tmp_path, fresh("poison").replace(".", "-"))
    yield made
    async with broker.session() as session:
        await session.delete_queue(f"logrouter.{made.instance}")


async def send(session: Session, *messages: Message) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*(session.publish(EXCHANGE, message) for message in messages))


LINES = [f"line {number:04}" for number in range(10)]


@pytest.mark.parametrize("depth", [33, 900, 5000, 100_000])
@pytest.mark.parametrize("where", ["fields", "unknown"])
async def test_a_record_with_deep_json_harms_itself_alone(site: Site, depth: int, where: str) -> None:
    good, odd = part(0, 10), part(10, 11)
    deep = b'"%s":' % where.encode() + b"[" * depth + b"]" * depth
    odd = replace(odd, body=odd.body.replace(b'{"ts"', b"{" + deep + b',"ts"'))
    async with site.routing() as session:
        await send(session, to_message(odd), to_message(good))
    async with site.routing():
        pass  # and it starts again
    assert site.archived()[:10] == LINES
    letters = len(await site.dead_letters())
    if where == "fields" or depth == 100_000:
        assert letters == 1
    else:  # what nobody looks into is only passed over, as deep as this Python goes
        assert len(site.archived()) == 11 - letters


async def test_rules_that_fail_on_a_slice_lose_nothing_of_it(site: Site) -> None:
    def decide(piece: Slice) -> list[Decision]:
        if piece.source == POISON:
            raise ZeroDivisionError("of a rule")
        return to_archive(piece)

    async with site.routing(decide) as session:
        await send(session, to_message(part(0, 10, POISON)), to_message(part(0, 10)))
    assert site.archived() == LINES
    (letter,) = await site.dead_letters()
    assert letter.headers["x-logrouter-reason"] == "ZeroDivisionError: of a rule"
    assert letter.body == part(0, 10, POISON).body


async def test_a_window_that_an_archive_can_never_hold_stops_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = Slice.filed_at

    def fail(piece: Slice) -> list[str]:
        if piece.source == POISON:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return filed(piece)

    monkeypatch.setattr(Slice, "filed_at", fail)
    day = 86_400_000
    spanning = replace(part(0, 10, POISON), last=part(0, 10).first + 3 * day)
    async with site.routing(path="{date}.jsonl.gz") as session:
        await send(session, to_message(spanning), to_message(part(0, 10)))
    assert site.archived() == LINES
    assert len(await site.dead_letters()) == 1


async def test_foreign_messages_of_any_size_are_kept_as_far_as_a_record_goes(site: Site) -> None:
    bodies = [b"x" * MAX_BODY, b"\x01" * MAX_BODY, b"\xff" * (MAX_BODY // 2), b"small"]
    async with site.routing() as session:
        for number, body in enumerate(bodies):
            await send(session, Message(f"app.h{number}.info", body))
    records = {record.host: record for record in read_archive(site.directory / "archive")}
    cuts = [(records[f"h{number}"].fields or {}).get("cut", {}).get("length") for number in range(4)]
    assert cuts == [MAX_BODY, MAX_BODY, MAX_BODY // 2, None]
    assert records["h0"].message == "x" * (4 << 20)
