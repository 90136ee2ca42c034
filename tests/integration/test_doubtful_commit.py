"""A ledger whose disk fails in the middle of a commit: whichever way that went, no line is lost or written twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from corpus import read_archive
from parts import part

from logrouter.broker import connect
from logrouter.broker.contract import Session
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.errors import Retry
from logrouter.ledger.ledger import INGRESS, Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.router.commit import Committer
from logrouter.router.dead_letters import DeadLetters
from logrouter.router.group import CommitGroup
from logrouter.wire.slices import from_part


class FailingLedger(Ledger):
    """Says that its disk failed, at transactions that decide something.

    has_it: whether the transaction is in the log all the same, as after a failed sync, until it is renounced.
    """

    has_it = False
    failures = renounce_failures = 0

    def commit(self, entry: LedgerEntry) -> None:
        if self.failures and entry.decided:
            self.failures -= 1
            if self.has_it:
                super().commit(entry)
            raise sqlite3.OperationalError("disk I/O error")
        super().commit(entry)

    def discard_failed_commit(self) -> None:
        if self.renounce_failures:
            self.renounce_failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        super().discard_failed_commit()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    async with connect("embedded", tmp_path / "broker").session() as session:
        yield session


def group() -> CommitGroup:
    made = CommitGroup(DeadLetters("dead"), windows={"archive": [[from_part(part(0, 10))]]})
    made.entry.add_decided(INGRESS, "src", [(0, 100)])
    return made


def archive(directory: Path, ledger: Ledger) -> Archive:
    return Archive("archive", ArchiveSettings(directory / "archive"), ledger)


@pytest.mark.parametrize("has_it", [True, False])
async def test_killed_before_it_is_known_how_a_commit_went(tmp_path: Path, session: Session, has_it: bool) -> None:
    ledger = FailingLedger(tmp_path / "state")
    ledger.has_it, ledger.failures, ledger.renounce_failures = has_it, 1, 100
    commits = Committer(ledger, {"archive": archive(tmp_path, ledger)})
    killed = asyncio.Event()
    killed.set()
    with pytest.raises(Retry):
        await commits.commit(group(), session, killed)
    await commits.tidy()
    await commits.close()
    ledger.close()
    before = events.ARCHIVE_DAMAGED.count()
    again = Ledger(tmp_path / "state")
    commits = Committer(again, {"archive": archive(tmp_path, again)})
    await commits.recover()
    if not again.extents(INGRESS, "src"):  # then the shipper sends it again
        await commits.commit(group(), session, asyncio.Event())
    await commits.close()
    again.close()
    assert [record.pos for record in read_archive(tmp_path / "archive")] == list(range(0, 100, 10))
    assert events.ARCHIVE_DAMAGED.count() == before


async def test_a_commit_that_failed_is_renounced_undone_and_tried_again(tmp_path: Path, session: Session) -> None:
    ledger = FailingLedger(tmp_path / "state")
    ledger.failures = ledger.renounce_failures = 1
    commits = Committer(ledger, {"archive": archive(tmp_path, ledger)})
    await commits.commit(group(), session, asyncio.Event())
    await commits.close()
    ledger.close()
    assert (ledger.failures, ledger.renounce_failures) == (0, 0)
    assert [record.pos for record in read_archive(tmp_path / "archive")] == list(range(0, 100, 10))


async def test_no_file_has_two_names_when_it_ends(tmp_path: Path, session: Session) -> None:
    ledger = Ledger(tmp_path / "state")
    settings = ArchiveSettings(tmp_path / "archive", rotate_size=1)
    commits = Committer(ledger, {"archive": Archive("archive", settings, ledger)})
    await commits.commit(group(), session, asyncio.Event())
    await commits.tidy()
    await commits.close()
    ledger.close()
    assert [path.name.count("+open") for path in (tmp_path / "archive").rglob("*.gz")] == [0]
