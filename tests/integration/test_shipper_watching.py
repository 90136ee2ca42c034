"""Quiet files of which the kernel tells: nothing is looked at by the clock here, save where the kernel does not."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from shipping import FaultyBroker, add, contents, lines, shipping

from logrouter.errors import PublishRefused
from logrouter.observability.events import INPUT_UNWATCHED
from shippers import agent as agent_module
from shippers.agent import Agent
from shippers.files import follow as follow_module
from shippers.files import inotify
from shippers.files import scan_loop as rounds
from shippers.files.inotify import Inotify
from shippers.input import Input

NEVER = 3600.0
QUEUED = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "_REST_SECONDS", NEVER)
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", NEVER)
    monkeypatch.setattr(rounds, "_SCAN_SECONDS", NEVER)
    monkeypatch.setattr(rounds, "_SCANS_APART", 0.0)
    monkeypatch.setattr(follow_module, "QUIET", 0.05)


class Shipped:
    """An agent at work on the files that `glob` finds in `logs`."""

    def __init__(self, directory: Path) -> None:
        self.logs = directory / "logs"
        self.log = self.logs / "app.log"
        self.broker = FaultyBroker()
        self.logs.mkdir()
        add(self.log, b"first\n")

    @asynccontextmanager
    async def follow(self, glob: str = "*.log") -> AsyncIterator[Agent]:
        state = self.logs.parent / "state"
        async with shipping(self.broker, [Input("app", (f"{self.logs}/{glob}",))], state) as self.agent:
            await self.quiet()
            yield self.agent

    async def quiet(self) -> None:
        """Wait until all has been read and every file sleeps."""
        while self.agent._files is None or not self.agent._rounds.done or self.agent._files.turns:
            await asyncio.sleep(0.01)

    async def have(self, *expected: bytes) -> None:
        """Wait until exactly this was shipped, and all is quiet again."""
        while sorted(contents(self.broker.parts)) != sorted(expected):
            await asyncio.sleep(0.01)
        await self.quiet()


@pytest.fixture
def shipped(tmp_path: Path) -> Shipped:
    return Shipped(tmp_path)


async def test_each_line_of_a_quiet_file_is_noticed(shipped: Shipped) -> None:
    async with shipped.follow():
        for number in range(5):
            add(shipped.log, lines(number, number + 1))
            await shipped.have(b"first\n" + lines(0, number + 1))


async def test_a_file_is_watched_by_whatever_name_it_is_written(shipped: Shipped, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    add(target, b"linked\n")
    (shipped.logs / "link.log").symlink_to(target)
    os.link(shipped.log, tmp_path / "hard")
    async with shipped.follow():
        add(target, b"more\n")
        add(tmp_path / "hard", b"more\n")
        await shipped.have(b"linked\nmore\n", b"first\nmore\n")


async def test_a_renamed_file_and_its_successor_are_noticed(shipped: Shipped) -> None:
    with shipped.log.open("ab", buffering=0) as writer:
        async with shipped.follow():
            shipped.log.rename(shipped.logs / "app.log.1")
            writer.write(b"last words\n")
            await shipped.have(b"first\nlast words\n")
            add(shipped.log, b"anew\n")
            await shipped.have(b"first\nlast words\n", b"anew\n")
            writer.write(b"the very last\n")
            await shipped.have(b"first\nlast words\nthe very last\n", b"anew\n")


async def test_a_truncated_file_is_noticed(shipped: Shipped) -> None:
    async with shipped.follow():
        os.truncate(shipped.log, 0)
        await asyncio.sleep(0)
        add(shipped.log, b"anew\n")
        await shipped.have(b"first\n", b"anew\n")


async def test_directories_that_appear_and_are_replaced_are_noticed(shipped: Shipped, tmp_path: Path) -> None:
    async with shipped.follow("*/new/*.log"):
        (shipped.logs / "a" / "new").mkdir(parents=True)
        add(shipped.logs / "a" / "new" / "app.log", b"one\n")
        await shipped.have(b"one\n")
        (shipped.logs / "a").rename(shipped.logs.parent / "away")
        (shipped.logs / "a" / "new").mkdir(parents=True)
        add(shipped.logs / "a" / "new" / "app.log", b"two\n")
        await shipped.have(b"one\n", b"two\n")
        shutil.rmtree(shipped.logs / "a")
        (tmp_path / "target" / "new").mkdir(parents=True)
        add(tmp_path / "target" / "new" / "app.log", b"three\n")
        (shipped.logs / "a").symlink_to(tmp_path / "target")
        await shipped.have(b"one\n", b"two\n", b"three\n")


async def test_a_file_behind_a_link_may_be_rotated_where_it_really_is(shipped: Shipped, tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    add(tmp_path / "pods" / "0.log", b"old\n")
    (shipped.logs / "link.log").symlink_to(tmp_path / "pods" / "0.log")
    async with shipped.follow("link.log"):
        (tmp_path / "pods" / "0.log").rename(tmp_path / "pods" / "0.log.1")
        add(tmp_path / "pods" / "0.log", b"new\n")
        await shipped.have(b"old\n", b"new\n")


async def test_names_that_no_glob_matches_cost_no_scan(shipped: Shipped) -> None:
    async with shipped.follow() as agent:
        add(shipped.logs / "first.log", b"x\n")
        await shipped.have(b"first\n", b"x\n")
        before = agent._rounds.done
        for number in range(100):
            add(shipped.logs / f"{number}.tmp", b"no business of ours\n")
            add(shipped.logs.parent / f"{number}.log", b"nor this\n")
        add(shipped.log, b"second\n")
        await shipped.have(b"first\nsecond\n", b"x\n")
        assert agent._rounds.done == before


async def test_a_queue_that_overflows_is_answered_by_a_look_at_everything(shipped: Shipped) -> None:
    async with shipped.follow():
        for number in range(QUEUED // 2 + 1):  # nobody reads the queue meanwhile
            (shipped.logs / f"{number}.tmp").touch()
            (shipped.logs / f"{number}.tmp").unlink()
        add(shipped.log, b"untold\n")
        add(shipped.logs / "new.log", b"untold\n")
        await shipped.have(b"first\nuntold\n", b"untold\n")
        add(shipped.log, b"told\n")
        await shipped.have(b"first\nuntold\ntold\n", b"untold\n")


async def test_what_is_refused_late_is_read_again_though_its_file_is_quiet(shipped: Shipped) -> None:
    release = asyncio.Event()

    async def refuse() -> None:
        await release.wait()
        shipped.broker.answer = lambda _: None
        raise PublishRefused("no")

    async with shipping(shipped.broker, [Input("app", (str(shipped.log),))], shipped.logs / "state") as shipped.agent:
        await shipped.have(b"first\n")
        shipped.broker.answer = lambda _: refuse()
        add(shipped.log, b"second\n")
        while len(shipped.broker.published) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        release.set()
        while len(shipped.broker.published) < 3:
            await asyncio.sleep(0.01)
        _, refused, again = shipped.broker.parts
        assert (refused.from_, refused.to) == (again.from_, again.to) == (6, 13)


def no_instance(patch: pytest.MonkeyPatch) -> None:
    def refused(_: Inotify) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    patch.setattr(Inotify, "__init__", refused)


def no_watch(patch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(Inotify, "watch", refused)


def five_watches(patch: pytest.MonkeyPatch) -> None:
    """Enough for some directories, for no file."""
    watch = Inotify.watch
    given: set[str] = set()

    def limited(self: Inotify, path: str, mask: int) -> int:
        if len(given | {path}) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        given.add(path)
        return watch(self, path, mask)

    patch.setattr(Inotify, "watch", limited)


def says_nothing(patch: pytest.MonkeyPatch) -> None:
    """As on a network's file system: it can be watched, in vain."""
    patch.setattr(inotify, "is_local", lambda _: False)
    patch.setattr(Inotify, "events", lambda _: iter(()))


@pytest.mark.parametrize(("kernel", "is_said"), [(no_instance, 1), (no_watch, 1), (five_watches, 1), (says_nothing, 0)])
async def test_where_the_kernel_does_not_tell_files_and_directories_are_looked_at_by_the_clock(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch, kernel: Callable[[pytest.MonkeyPatch], None], is_said: int
) -> None:
    kernel(monkeypatch)
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.1)
    said = INPUT_UNWATCHED.count()
    async with shipped.follow("**/*.log") as agent:
        scans = agent._rounds.done
        add(shipped.log, b"second\n")
        await shipped.have(b"first\nsecond\n")
        (shipped.logs / "a" / "b").mkdir(parents=True)
        add(shipped.logs / "a" / "b" / "app.log", b"third\n")
        await shipped.have(b"first\nsecond\n", b"third\n")
        while agent._rounds.done < scans + 5:
            await asyncio.sleep(0.01)
    assert INPUT_UNWATCHED.count() == said + is_said


async def test_it_stops_and_drains_at_once_though_it_rests(shipped: Shipped) -> None:
    async with asyncio.timeout(30), shipped.follow() as agent:
        await asyncio.sleep(0.1)
        assert await agent.drain() == []
