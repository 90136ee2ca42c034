"""What a shipper says of its sources: all of them, in statements of a size that every router takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from shipping import FaultyBroker, shipping

from shippers import statements
from shippers.input import Input
from shippers.parse.multiline import Joining


async def test_many_sources_are_stated_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_AT_ONCE", 3)
    for number in range(7):
        (tmp_path / f"{number}.log").write_text("one\ntwo\n")
    broker = FaultyBroker()
    async with shipping(broker, [Input("web", (f"{tmp_path}/*.log",), "h")], tmp_path / "state") as agent:
        async with asyncio.timeout(20):
            assert await agent.drain() == []
    last = [each for each in broker.statements if each.final]
    assert len(last) == 1
    assert all(len(each.sources) <= 3 for each in broker.statements)
    stated = {source.path: source for each in broker.statements for source in each.sources}
    assert {(path, each.confirmed, each.lines) for path, each in stated.items()} == {
        (f"{tmp_path}/{number}.log", 8, 2) for number in range(7)
    }


@pytest.mark.parametrize(("joining", "by_line"), [(None, True), (Joining(traces=("python",)), False)])
async def test_it_says_whether_each_line_is_a_record(tmp_path: Path, joining: Joining | None, by_line: bool) -> None:
    (tmp_path / "app.log").write_text("one\n  two\n")
    broker = FaultyBroker()
    inputs = [Input("web", (f"{tmp_path}/app.log",), "h", joining=joining)]
    async with shipping(broker, inputs, tmp_path / "state") as agent:
        async with asyncio.timeout(20):
            assert await agent.drain() == []
    (source,) = broker.statements[-1].sources
    assert (source.confirmed, source.lines, source.by_line) == (10, 2 if by_line else 1, by_line)
