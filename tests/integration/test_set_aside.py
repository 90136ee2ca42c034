"""A stuck inline destination is set aside, the others flow, and it catches up with each record once and in order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from corpus import read_archive
from parts import part
from routers import running

from logrouter.broker.contract import EXCHANGE, Broker, Session
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.ledger.ledger import AsideState, Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.router.commit import Committer
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.rules.decision import Decision, Target
from logrouter.wire.batch import to_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record
from logrouter.wire.slices import from_part

TWO_KEYS = ("app.h1.info", "app.h1.error")


class TwoArchives:
    """A router that writes everything to the archives `good` and `bad`; runs may follow each other on one state."""

    def __init__(self, broker: Broker, directory: Path, instance: str) -> None:
        self.broker = broker
        self.directory = directory
        self.instance = instance

    @asynccontextmanager
    async def routing(
        self, wrap: Callable[[Archive], Any] = lambda archive: archive, *, drained: bool = True
    ) -> AsyncIterator[Session]:
        """A router that runs, and a session; leaving drains it, or just stops it."""
        ledger = Ledger(self.directory / "state", self.instance)
        archives = {name: Archive(name, ArchiveSettings(self.directory / name), ledger) for name in ("good", "bad")}
        commits = Committer(ledger, archives | {"bad": wrap(archives["bad"])}, self.instance, set_aside_after=0.3)
        routing = RouterContext(
            RouterSettings(self.instance),
            ledger,
            commits,
            lambda piece: [Decision(piece, (Target("good", "all"), Target("bad", "all")))],
            lambda text: ("info", "default"),
        )
        async with running(self.broker, routing, drained=drained) as session:
            yield session

    def block(self) -> Path:
        """Put a file where the bad archive needs a directory."""
        obstacle = self.directory / "bad" / "app"
        obstacle.parent.mkdir(parents=True, exist_ok=True)
        obstacle.touch()
        return obstacle

    def archived(self, name: str) -> list[str]:
        return [record.message for record in read_archive(self.directory / name)]

    async def until_archived(self, name: str, count: int) -> None:
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):  # a file that was begun and holds nothing yet
                if len(self.archived(name)) >= count:
                    return
            await asyncio.sleep(0.02)


def lines(count: int) -> list[str]:
    return [f"line {number:04}" for number in range(count)]


async def publish(session: Session, begin: int, end: int) -> None:
    """A window of two parts, lines alternating between them."""
    parts = [part(begin, end, number=number, keys=TWO_KEYS) for number in range(2)]
    await asyncio.gather(*(session.publish(EXCHANGE, to_message(each)) for each in parts))


@pytest.fixture
async def two(broker: Broker, tmp_path: Path, fresh: Callable[[str], str]) -> AsyncIterator[TwoArchives]:
    made = TwoArchives(broker, tmp_path, fresh("aside").replace(".", "-"))
    yield made
    async with broker.session() as session:
        await session.delete_queue(f"logrouter.{made.instance}")


async def test_the_others_flow_and_the_stuck_one_catches_up(two: TwoArchives) -> None:
    aside, again = events.OVERFLOWING.count(), events.INLINE_AGAIN.count()
    obstacle = two.block()
    async with two.routing() as session:
        for begin in range(0, 60, 10):
            await publish(session, begin, begin + 10)
        while events.OVERFLOWING.count() == aside:
            await asyncio.sleep(0.02)
        await two.until_archived("good", 60)
        obstacle.unlink()
        await two.until_archived("bad", 60)
        while events.INLINE_AGAIN.count() == again:
            await asyncio.sleep(0.02)
        await publish(session, 60, 70)
    assert two.archived("good") == two.archived("bad") == lines(70)
    assert events.OVERFLOWING.count() == aside + 1


async def test_each_field_of_a_record_waits_with_it(two: TwoArchives) -> None:
    odd = Record(
        ts="2026-03-14T15:09:26.535897Z", service="app", host="h1", severity="error", severity_from="stated",
        message="two\nlines", source="s", pos=0, end=10, received="2026-03-15T15:09:26.535897Z", app="sshd", pid="7",
        msgid="M1", conversation="c-1", sd={"a@1": {"b": 'c"]'}}, fields={"n": [1, None, {"x": 1.5}]}, lines=[4, 6],
        raw=base64.b64encode(b"two\nlin\xffs\n").decode(),
    )  # fmt: skip
    body = msgspec.json.encode(odd) + b"\n"
    stated = dataclasses.replace(part(0, 1, keys=("app.h1.error",)), to=10, source="s", body=body)
    foreign = Message("shop.h2.crit", b"\xff", message_id="1", app_id="shop", correlation_id="c-2", timestamp=1e9)
    obstacle = two.block()
    async with two.routing() as session:
        for message in (to_message(stated), foreign):
            await session.publish(EXCHANGE, message)
        await two.until_archived("good", 2)
        obstacle.unlink()
    assert sorted(read_archive(two.directory / "bad"), key=str) == sorted(read_archive(two.directory / "good"), key=str)
    assert odd in read_archive(two.directory / "bad")


async def test_what_waits_is_found_by_the_next_router(two: TwoArchives) -> None:
    obstacle = two.block()
    async with two.routing(drained=False) as session:
        await publish(session, 0, 10)
        await two.until_archived("good", 10)
    assert two.archived("good") == lines(10)
    obstacle.unlink()
    async with two.routing() as session:
        await publish(session, 10, 20)
    assert two.archived("good") == two.archived("bad") == lines(20)


async def test_one_that_does_not_answer_is_set_aside_and_its_late_answer_undone(two: TwoArchives) -> None:
    hanging, answer = asyncio.Event(), asyncio.Event()

    class Hangs:
        """The archive, but its first write takes as long as the test wants."""

        def __init__(self, archive: Archive) -> None:
            self._archive = archive

        def __getattr__(self, name: str) -> Any:
            return getattr(self._archive, name)

        async def write(self, windows: Any) -> Any:
            files = await self._archive.write(windows)
            if not answer.is_set():
                hanging.set()
                await answer.wait()
            return files

    async with two.routing(Hangs) as session:
        await publish(session, 0, 10)
        await hanging.wait()
        await two.until_archived("good", 10)
        answer.set()
        await publish(session, 10, 20)
    assert two.archived("good") == two.archived("bad") == lines(20)


async def test_wide_windows_and_many_of_them_wait_in_order(two: TwoArchives) -> None:
    """More parts than any prefetch, from several sources, over two starts of the router."""
    keys = [f"app.h{number}.info" for number in range(60)]
    obstacle = two.block()
    async with two.routing(drained=False) as session:
        for begin in range(0, 600, 120):
            for source in ("src", "other"):
                parts = [part(begin, begin + 120, source, number, keys) for number in range(len(keys))]
                await asyncio.gather(*(session.publish(EXCHANGE, to_message(each)) for each in parts))
    obstacle.unlink()
    async with two.routing():
        pass
    records = read_archive(two.directory / "bad")
    for source in ("src", "other"):
        assert [record.message for record in records if record.source == source] == lines(600)
    assert two.archived("good") == two.archived("bad")


async def test_a_crash_at_any_step_writes_each_window_once(two: TwoArchives, tmp_path: Path) -> None:
    """What was appended and not committed is overwritten; what was taken and not committed is taken again."""
    ledger = Ledger(tmp_path / "state", two.instance)
    archive = Archive("bad", ArchiveSettings(tmp_path / "bad"), ledger)
    commits = Committer(ledger, {"bad": archive}, two.instance)
    window = [[from_part(part(number, number + 1))] for number in range(3)]
    commits.aside.begin("bad", "a test")
    first = await commits.aside.append("bad", window[:1])
    ledger.commit(LedgerEntry(aside={"bad": first}))
    commits.aside.committed({"bad": first})
    await commits.aside.append("bad", window[2:])  # and then the process dies
    await archive.close()
    for _ in range(2):
        archive = Archive("bad", ArchiveSettings(tmp_path / "bad"), ledger)
        await archive.recover()
        commits = Committer(ledger, {"bad": archive}, two.instance)
        assert "bad" in commits.aside
        windows, taken = await commits.aside.read("bad")
        assert [[piece.body for piece in each] for each in windows] == [[piece.body for piece in window[0]]]
        assert taken.records == -1
        await archive.write(windows)  # and dies again, before the ledger has it
        await archive.close()
    archive = Archive("bad", ArchiveSettings(tmp_path / "bad"), ledger)
    await archive.recover()
    commits = Committer(ledger, {"bad": archive}, two.instance)
    await commits.replay("bad")
    assert await commits.make_inline("bad")
    await archive.close()
    assert two.archived("bad") == lines(1)
    assert ledger.aside() == {}
    ledger.close()


async def test_what_waits_for_a_destination_that_is_gone_is_said(two: TwoArchives, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state", two.instance)
    ledger.commit(LedgerEntry(aside={"gone": AsideState(10, 0, 1)}))
    orphaned = events.ASIDE_ORPHANED.count()
    Committer(ledger, {}, two.instance)
    assert events.ASIDE_ORPHANED.count() == orphaned + 1
    ledger.close()


async def test_a_slow_finish_of_one_holds_up_no_other(two: TwoArchives) -> None:
    finishing, finish = asyncio.Event(), asyncio.Event()

    class SlowToFinish:
        """The archive, but its files are finished for as long as the test wants."""

        def __init__(self, archive: Archive) -> None:
            self._archive = archive

        def __getattr__(self, name: str) -> Any:
            return getattr(self._archive, name)

        async def tidy(self) -> Any:
            finishing.set()
            await finish.wait()
            return await self._archive.tidy()

    async with two.routing(SlowToFinish) as session:
        await finishing.wait()
        await publish(session, 0, 10)
        await two.until_archived("good", 10)
        finish.set()
        await publish(session, 10, 20)
    assert two.archived("good") == two.archived("bad") == lines(20)
