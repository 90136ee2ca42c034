"""Directories that do not answer, as those of a network may: their own files wait, all others are read."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shipping import FaultyBroker, add, contents, lines, shipping

from logrouter.observability.events import INPUT_ANSWERS, INPUT_HANGS, Event
from shippers.files import inotify, scans
from shippers.files import scan_loop as rounds
from shippers.input import Input

HOW = ["scandir", "stat", "open", "add_watch"]


class Hang:
    """While it holds, a call of the system that has to do with `directory` does not return."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = str(directory)
        self._monkeypatch = monkeypatch
        self._over = threading.Event()
        self._over.set()
        self.calls = 0

    def begin(self, *names: str) -> None:
        self._over.clear()
        for name in names:
            if name == "add_watch":
                self._replace(inotify.Inotify, "watch", 1)
            else:
                self._replace(os, name, 0)

    def end(self) -> None:
        self._over.set()

    def _replace(self, owner: Any, name: str, place: int) -> None:
        real = getattr(owner, name)

        def wait_and_call(*arguments: Any, **others: Any) -> Any:
            path = arguments[place] if len(arguments) > place else ""
            if isinstance(path, str) and path.startswith(self._directory) and not self._over.is_set():
                self.calls += 1
                assert threading.current_thread() is not threading.main_thread(), "the event loop must not wait"
                self._over.wait()
            return real(*arguments, **others)

        self._monkeypatch.setattr(owner, name, wait_and_call)


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    made = Hang(tmp_path / "far", monkeypatch)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "_PATIENCE", 0.1)
    monkeypatch.setattr(scans, "_HANGS", 0.3)
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(rounds, "_SCAN_SECONDS", 0.1)
    monkeypatch.setattr(rounds, "_SCANS_APART", 0.0)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    for name in ("near", "far"):
        (tmp_path / name).mkdir()
        add(tmp_path / name / "app.log", name.encode() + b"\n")
    return [Input("app", (f"{tmp_path}/far/*.log", f"{tmp_path}/near/*.log"))]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Callable[[Event], int]:
    """How often an event has told of the directory that hangs; on a busy machine another may be slow as well."""
    caplog.set_level(logging.INFO, "logrouter")

    def count(event: Event) -> int:
        return sum(text.startswith(f"{event.name}: {tmp_path}/far ") for text in caplog.messages)

    return count


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", HOW)
async def test_one_that_hangs_from_the_start_delays_itself_alone(
    tmp_path: Path, inputs: list[Input], hang: Hang, said: Callable[[Event], int], how: str
) -> None:
    hang.begin(how)
    broker = FaultyBroker()
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await until(lambda: contents(broker.parts) == [b"near\n"])
        await until(lambda: said(INPUT_HANGS) == 1)
        for number in range(3):
            add(tmp_path / "near" / f"{number}.log", lines(number, number + 1))
            await until(lambda number=number: len(contents(broker.parts)) == 2 + number)  # type: ignore[misc]
        assert f"{tmp_path}/far/*.log: its directory does not answer" in await agent.drain()
        assert (hang.calls, said(INPUT_HANGS)) == (1, 1)
        hang.end()
        await until(lambda: b"far\n" in contents(broker.parts))
        await until(lambda: said(INPUT_ANSWERS) > 0)
        assert not [left for left in await agent.drain() if "/far/" in left]


@pytest.mark.parametrize("how", [("scandir", "stat"), ("scandir", "stat", "open", "add_watch")])
async def test_one_that_hangs_later_is_taken_up_where_it_was(
    tmp_path: Path, inputs: list[Input], hang: Hang, said: Callable[[Event], int], how: tuple[str, ...]
) -> None:
    broker = FaultyBroker()
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        await until(lambda: len(broker.parts) == 2)
        assert agent._files is not None
        await until(lambda: not agent._files.turns)  # type: ignore[union-attr]  # it is there
        hang.begin(*how)
        await until(lambda: said(INPUT_HANGS) == 1)
        add(tmp_path / "near" / "app.log", lines(0, 1))
        add(tmp_path / "near" / "new.log", lines(0, 1))
        await until(lambda: len(contents(broker.parts)) == 3)
        (tmp_path / "far" / "app.log").rename(tmp_path / "far" / "app.log.1")
        add(tmp_path / "far" / "app.log", b"anew\n")
        add(tmp_path / "far" / "new.log", b"new\n")
        hang.end()
        await until(lambda: len(contents(broker.parts)) == 5)
    assert sorted(contents(broker.parts)) == sorted(
        [b"near\n" + lines(0, 1), lines(0, 1), b"far\n", b"anew\n", b"new\n"]
    )


async def test_files_of_another_machine_are_not_touched_while_their_directory_hangs(
    tmp_path: Path,
    inputs: list[Input],
    hang: Hang,
    said: Callable[[Event], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look at an open file, or a read, would wait as well."""
    is_local = inotify.is_local
    monkeypatch.setattr(inotify, "is_local", lambda path: "/far" not in path and is_local(path))
    broker = FaultyBroker()
    async with shipping(broker, inputs, tmp_path / "state"):
        await until(lambda: len(broker.parts) == 2)
        hang.begin("scandir")
        await until(lambda: said(INPUT_HANGS) == 1)
        add(tmp_path / "far" / "app.log", b"more\n")
        for number in range(3):
            add(tmp_path / "near" / f"{number}.log", lines(number, number + 1))
            await until(lambda number=number: len(contents(broker.parts)) == 3 + number)  # type: ignore[misc]
        assert b"far\n" in contents(broker.parts)
        hang.end()
        await until(lambda: b"far\nmore\n" in contents(broker.parts))


async def test_a_process_whose_directory_hangs_ends_all_the_same(
    tmp_path: Path, inputs: list[Input], hang: Hang
) -> None:
    hang.begin("scandir")
    before = threading.active_count()
    broker = FaultyBroker()
    async with shipping(broker, inputs, tmp_path / "state"):
        await until(lambda: contents(broker.parts) == [b"near\n"])
    assert sum(thread.name == "look" and not thread.daemon for thread in threading.enumerate()) == 0
    assert threading.active_count() <= before + 3
