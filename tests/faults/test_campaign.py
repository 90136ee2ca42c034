"""The fault campaign in short, with a fixed seed: `make faults` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.campaign import run
from faults.each_point import kill_at
from faults.schedule import AMQP, EMBEDDED, make_schedule
from faults.surroundings import Plan

SEED, SECONDS = 20261122, 15.0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", [EMBEDDED, pytest.param(AMQP, marks=pytest.mark.rabbitmq)])
async def test_nothing_is_lost_or_repeated_whatever_fails(mode: str, tmp_path: Path) -> None:
    report = await run(Plan(mode, SEED, SECONDS, tmp_path / "run", rate=200))
    assert report.is_good, report.text()
    assert sum(each.came_to_pass for each in report.fired) > 5, report.text()
    assert sum(process.lives for process in report.processes) > 5, report.text()


def test_a_seed_replays_its_schedule() -> None:
    first, again, other = (make_schedule(seed, 100.0, AMQP, is_long=True) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("mode", [EMBEDDED, AMQP])
def test_a_long_schedule_has_every_kind(mode: str) -> None:
    kinds = {fault.kind for fault in make_schedule(1, 300.0, mode, is_long=True)}
    both = {"kill", "point", "error", "checkpoint", "pause", "full", "limit", "mail", "rules"}
    assert kinds == both | ({"link", "broker", "broker pause", "alarm"} if mode == AMQP else set())


@pytest.mark.parametrize(
    "point", ["archive.repair.cut", "ledger.commit.after", "router.ack.before", "state.rename.after"]
)
def test_a_kill_at_a_named_point_changes_nothing(point: str, tmp_path: Path) -> None:
    outcome = kill_at(point, tmp_path / "run")
    assert outcome.fired
    assert outcome.is_good, str(outcome)
