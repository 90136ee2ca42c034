"""What is durable before what, watched from within: each step that is left out or comes too early fails a test here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from parts import part
from routers import running

from logrouter.broker import connect
from logrouter.broker.contract import EXCHANGE, Delivery
from logrouter.destinations.archive import archive as archive_module
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.errors import PublishRefused
from logrouter.ledger.ledger import INGRESS, Ledger, LedgerEntry
from logrouter.router.commit import Committer
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.group import CommitGroup
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.rules.decision import Decision, Target
from logrouter.support.filesystem import replace_file
from logrouter.wire.batch import from_message, is_batch, to_message
from logrouter.wire.message import Message
from logrouter.wire.slices import Slice, from_part

FILE = "app/h1/2026-11-22.jsonl.gz"
OPEN = "app/h1/2026-11-22+open.jsonl.gz"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Each call that makes something durable or gives it a name, once it has succeeded: `fsync archive/app`."""
    done: list[str] = []

    def shown(argument: object) -> str:
        path = Path(f"/proc/self/fd/{argument}").readlink() if isinstance(argument, int) else Path(str(argument))
        return str(path.relative_to(tmp_path) if path.is_absolute() else path)

    def watch(name: str) -> None:
        real = getattr(os, name)

        def watched(*arguments: object, **directories: object) -> None:
            step = " ".join([name, *map(shown, arguments)])
            real(*arguments, **directories)
            done.append(step)

        monkeypatch.setattr(os, name, watched)

    for name in ("fsync", "fdatasync", "rename", "replace", "link"):
        watch(name)
    return done


def in_order(steps: Sequence[str], *wanted: str) -> bool:
    """Whether these steps are among those, one after the other."""
    coming = iter(steps)
    return all(step in coming for step in wanted)


def test_a_file_is_replaced_by_what_is_safe_and_its_name_is_made_safe(tmp_path: Path, steps: list[str]) -> None:
    replace_file(tmp_path / "positions.json", b"{}")
    assert steps == ["fsync positions.json.new", "replace positions.json.new positions.json", "fsync ."]


async def test_a_new_archive_file_and_the_names_that_lead_to_it_are_safe_before_it_counts(
    tmp_path: Path, ledger: Ledger, steps: list[str]
) -> None:
    archive = Archive("archive", ArchiveSettings(tmp_path / "archive"), ledger)
    await archive.write([[from_part(part(0, 10))]])
    await archive.close()
    for directory in ("archive", "archive/app", "archive/app/h1"):
        assert in_order(steps, f"fdatasync archive/{OPEN}", f"fsync {directory}")


async def test_a_file_that_is_compressed_again_is_safe_before_it_has_its_name(
    tmp_path: Path, ledger: Ledger, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    archive = Archive("archive", ArchiveSettings(tmp_path / "archive", rotate_size=1), ledger)
    ledger.commit(LedgerEntry(files=await archive.write([[from_part(part(0, 10))]])))
    await archive.committed()
    assert await archive.tidy()
    await archive.close()
    name = "2026-11-22.jsonl.gz"
    assert in_order(steps, f"fsync archive/{FILE}.new", f"rename {name}.new {name}", "fsync archive/app/h1")


def test_the_ledger_waits_for_the_disk(ledger: Ledger) -> None:
    full = 2
    assert ledger._writer.execute("PRAGMA synchronous").fetchone() == (full,)
    assert ledger._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class Refusing:
    """A session on which nothing is confirmed."""

    async def publish(self, exchange: str, message: Message) -> None:
        await asyncio.sleep(0)
        raise PublishRefused("the queue is full")


async def test_nothing_is_decided_before_what_it_hands_on_is_confirmed(tmp_path: Path, ledger: Ledger) -> None:
    commits = Committer(ledger, {"archive": Archive("archive", ArchiveSettings(tmp_path / "archive"), ledger)})
    group = CommitGroup(
        DeadLetters("dead"),
        windows={"archive": [[from_part(part(0, 10))]]},
        outgoing=[Message("logrouter.main.mail", b"{}")],
    )
    group.entry.add_decided(INGRESS, "src", [(0, 100)])
    with pytest.raises(PublishRefused):
        await commits.commit(group, Refusing(), asyncio.Event())  # type: ignore[arg-type]  # all that is asked of it
    await commits.close()
    assert not ledger.extents(INGRESS, "src")


class Watched:
    """Stands for a broker, a session or a consumer; tells what was decided of each window as it is acknowledged."""

    def __init__(self, real: Any, ledger: Ledger, settled: list[bool]) -> None:
        self._real = real
        self._ledger = ledger
        self._settled = settled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return aiter(self._real)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        async with self._real.session() as session:
            yield Watched(session, self._ledger, self._settled)

    async def consume(self, queue: str, **limits: int) -> Any:
        return Watched(await self._real.consume(queue, **limits), self._ledger, self._settled)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        for came in (from_message(each.message) for each in deliveries if is_batch(each.message)):
            self._settled.append(self._ledger.extents(INGRESS, came.source).covers(came.from_, came.to))
        await self._real.ack(deliveries)


def to_archive(piece: Slice) -> list[Decision]:
    return [Decision(piece, (Target("archive", "test"),))]


async def test_a_window_is_decided_before_it_is_acknowledged(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "router")
    commits = Committer(ledger, {"archive": Archive("archive", ArchiveSettings(tmp_path / "archive"), ledger)})
    routing = RouterContext(RouterSettings(), ledger, commits, to_archive, lambda text: ("info", "guessed"))
    settled: list[bool] = []
    broker: Any = Watched(connect("embedded", tmp_path / "broker"), ledger, settled)
    async with running(broker, routing) as session:
        await asyncio.gather(*(session.publish(EXCHANGE, to_message(part(n, n + 1))) for n in range(5)))
    assert settled == [True] * 5
