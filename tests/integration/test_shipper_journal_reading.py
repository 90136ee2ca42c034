"""A journal -> a spool -> a broker: what journalctl may do, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_journal import FakeJournal
from shipping import FaultyBroker, records, shipping

from logrouter.observability.events import JOURNAL_FAILING, JOURNAL_GAP, JOURNAL_RESUMED, JOURNAL_SAID, Event
from logrouter.wire.batch import Part
from shippers.input import Input, Journal
from shippers.sources import journal as journal_module


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeJournal:
    journal = FakeJournal(tmp_path / "journal")
    monkeypatch.setenv("PATH", journal.path)
    return journal


def following(journal: FakeJournal, service: str = "", units: Sequence[str] = ()) -> Input:
    return Input(service, feed=Journal(tuple(units), str(journal.directory)))


def messages(parts: Sequence[Part]) -> list[str]:
    """In the order in which they were published."""
    sources = list(dict.fromkeys(part.source for part in parts))
    return [each.message for source in sources for each in records(part for part in parts if part.source == source)]


async def arrived(broker: FaultyBroker, count: int) -> None:
    while sum(part.count for part in broker.parts) < count:
        await asyncio.sleep(0.01)


async def come(event: Event, before: float) -> None:
    while event.count() == before:
        await asyncio.sleep(0.01)


async def test_it_goes_on_where_it_was(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    for _ in range(3):
        journal.write(500)
        async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
            assert await agent.drain() == []
            journal.write(1)
            await arrived(broker, len(journal.written))
    assert messages(broker.parts) == journal.written


async def test_at_first_it_goes_back_so_far(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    journal.write(1500)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    assert messages(broker.parts) == journal.written[500:]


async def test_an_empty_journal_is_one_that_was_begun(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    journal.write(1500)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    assert messages(broker.parts) == journal.written


async def test_units_have_inputs_of_their_own(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    inputs = [following(journal, "web", ["web-*"]), following(journal, "auth", ["sshd"])]
    journal.write(1200)
    for unit in ("web-1.service", "sshd.service", "cron.service"):
        journal.write(2, _SYSTEMD_UNIT=unit)
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await agent.drain()
    journal.write(1200)
    journal.write(1, _SYSTEMD_UNIT="sshd.service")
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await agent.drain()
    found = {service: [part for part in broker.parts if part.service == service] for service in ("web", "auth")}
    assert messages(found["web"]) == journal.written[1200:1202]
    assert messages(found["auth"]) == [*journal.written[1202:1204], journal.written[-1]]
    assert sum(part.count for part in broker.parts) == 5


async def test_units_of_which_there_was_nothing_yet_lose_nothing(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    inputs = [following(journal, "auth", ["sshd"])]
    journal.write(10)
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await agent.drain()
    journal.write(1, _SYSTEMD_UNIT="sshd.service")
    journal.write(1200)
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await agent.drain()
    assert messages(broker.parts) == [journal.written[10]]


async def test_a_child_that_dies_is_started_again_and_said_once(
    tmp_path: Path, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_STEADY_SECONDS", 0.5)
    broker, failed, resumed = FaultyBroker(), JOURNAL_FAILING.count(), JOURNAL_RESUMED.count()
    async with shipping(broker, [following(journal)], tmp_path / "state"):
        for _ in range(3):
            calls = len(journal.calls)
            while not any("--follow" in call for call in journal.calls[calls:]):
                await asyncio.sleep(0.01)
            journal.write(100)
            os.kill(int(journal.calls[-1].split()[0]), signal.SIGKILL)
        journal.write(100)
        await arrived(broker, len(journal.written))
        await come(JOURNAL_RESUMED, resumed)
    assert messages(broker.parts) == journal.written
    assert JOURNAL_FAILING.count() == failed + 1


async def test_a_lost_entry_is_a_gap_that_is_said_and_nothing_that_is_there_is_skipped(
    tmp_path: Path, journal: FakeJournal
) -> None:
    broker, gaps = FaultyBroker(), JOURNAL_GAP.count()
    journal.write(10)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    journal.write(20)
    journal.rotate(15)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    assert messages(broker.parts) == journal.written[:10] + journal.written[15:]
    assert JOURNAL_GAP.count() == gaps + 1


@pytest.mark.parametrize("cursor", ["i=99999", "garbage"])
async def test_a_cursor_of_another_journal_begins_at_the_oldest(
    tmp_path: Path, journal: FakeJournal, cursor: str
) -> None:
    broker, gaps = FaultyBroker(), JOURNAL_GAP.count()
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    (saved,) = (tmp_path / "state").rglob("cursor")
    saved.write_text(cursor)
    journal.write(1500)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    assert messages(broker.parts) == journal.written
    assert JOURNAL_GAP.count() == gaps + 1


async def test_a_journal_that_is_away_is_waited_for(tmp_path: Path, journal: FakeJournal) -> None:
    broker, gaps = FaultyBroker(), JOURNAL_GAP.count()
    journal.write(10)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        await agent.drain()
    there = (journal.directory / "entries").read_bytes()
    journal.rotate(0)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        assert await agent.drain() == [f"the journal in {journal.directory}: cannot be read"]
        (journal.directory / "entries").write_bytes(there)
        journal.write(1)
        await arrived(broker, 11)
    assert messages(broker.parts) == journal.written
    assert JOURNAL_GAP.count() == gaps


async def test_without_journalctl_it_is_said_once_and_a_drain_ends(
    tmp_path: Path, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (journal.programs / "journalctl").rename(journal.programs / "away")
    monkeypatch.setenv("PATH", str(journal.programs))
    broker, failed = FaultyBroker(), JOURNAL_FAILING.count()
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        assert await agent.drain() == [f"the journal in {journal.directory}: cannot be read"]
        await asyncio.sleep(0.5)  # for further tries
        assert JOURNAL_FAILING.count() == failed + 1
        (journal.programs / "away").rename(journal.programs / "journalctl")
        journal.write(3)
        await arrived(broker, 3)
    assert "Install systemd's journalctl, or remove `journal` from the inputs" in caplog.text


async def test_what_journalctl_says_is_passed_on_once(tmp_path: Path, journal: FakeJournal) -> None:
    broker, said, failed = FaultyBroker(), JOURNAL_SAID.count(), JOURNAL_FAILING.count()
    refuses = journal.directory / "refuses"
    refuses.write_text("No journal files were opened due to insufficient permissions.")
    journal.write(3)
    async with shipping(broker, [following(journal)], tmp_path / "state"):
        while len(journal.calls) < 3:
            await asyncio.sleep(0.01)
        refuses.unlink()
        await arrived(broker, 3)
    assert (JOURNAL_SAID.count(), JOURNAL_FAILING.count()) == (said + 1, failed + 1)


async def test_odd_output_is_shipped_as_it_is(tmp_path: Path, journal: FakeJournal) -> None:
    broker = FaultyBroker()
    journal.write(1)
    journal.add_lines(b"what is this\n")
    journal.add({"MESSAGE": "x" * (9 << 20)})
    journal.write(1)
    async with shipping(broker, [following(journal)], tmp_path / "state") as agent:
        assert await agent.drain() == []
    first, odd, long, last = records(broker.parts)
    assert (first.message, odd.message, last.message) == ("entry 1", "what is this", "entry 3")
    assert long.message.startswith('{"PRIORITY":"6"')
    assert long.fields is not None
    assert long.fields["cut"]["length"] > 9 << 20
