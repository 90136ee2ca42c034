"""A router that runs on a broker for as long as a test uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from logrouter.broker.contract import Broker, Session
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.ledger.ledger import Ledger
from logrouter.router.commit import Committer
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.router.router import route
from logrouter.rules.decision import Decide, Decision, Target
from logrouter.wire.slices import Slice


def to_archive(piece: Slice) -> list[Decision]:
    """All of it goes to the one archive."""
    return [Decision(piece, (Target("archive", "test"),))]


def archiving(
    directory: Path,
    settings: RouterSettings,
    decide: Decide = to_archive,
    *,
    severity: tuple[str, str] = ("info", "default"),
    path: str = "{service}/{host}/{date}.jsonl.gz",
) -> RouterContext:
    """A router with one archive and the ledger `state` in a directory. path: of the archive's files."""
    ledger = Ledger(directory / "state", settings.instance)
    archive = Archive("archive", ArchiveSettings(directory / "archive", path), ledger)
    commits = Committer(ledger, {"archive": archive}, settings.instance)
    return RouterContext(settings, ledger, commits, decide, lambda text: severity)


@asynccontextmanager
async def running(broker: Broker, routing: RouterContext, *, drained: bool = True) -> AsyncIterator[Session]:
    """A session to publish on; leaving drains the router, or just stops it, and closes its ledger."""
    stop, drain = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(route(broker, routing, stop, drain))
    try:
        async with broker.session() as session:
            while not await session.exchange_exists(f"logrouter.{routing.settings.instance}.ready"):
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
            yield session
            (drain if drained else stop).set()
            await work
    finally:
        stop.set()
        await asyncio.wait({work})
        routing.ledger.close()
