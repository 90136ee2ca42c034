"""The demo's generator and its files."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from logrouter.cli.demo.scenes import LOGS, TICK, Line, lines_at
from logrouter.cli.demo.writer import Writer, demo_inputs
from logrouter.wire.routing_key import SEVERITIES
from shippers.parse.severity.severity import severity
from shippers.parse.timestamp.line import times

BEGIN = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
MINUTE = round(60 / TICK)


def story(seed: int, ticks: int) -> list[list[Line]]:
    random = Random(seed)
    return [list(lines_at(random, BEGIN + timedelta(seconds=tick * TICK), tick * TICK)) for tick in range(ticks)]


def test_the_same_seed_tells_the_same_story() -> None:
    assert story(7, 50) == story(7, 50)
    assert story(7, 50) != story(8, 50)


def test_two_minutes_show_every_service_and_every_severity() -> None:
    for seed in range(5):
        lines = [line for tick in story(seed, 2 * MINUTE) for line in tick]
        assert {log for log, _ in lines} == set(LOGS)
        seen = Counter(severity(text, log.severity)[0] for log, text in lines)
        assert set(seen) == set(SEVERITIES[SEVERITIES.index("crit") :])
        assert 10 <= len(lines) / 120 <= 60
        assert 12 <= seen["error"] + seen["crit"] <= 150, "an error each few seconds"
        assert 1 <= seen["crit"] <= 15
        assert not any("\n" in text for _, text in lines)


def test_it_comes_in_bursts() -> None:
    counts = [len(tick) for tick in story(1, MINUTE)]
    seconds = [sum(counts[at : at + 5]) for at in range(0, MINUTE, 5)]
    assert max(seconds) > 4 * min(seconds)


def test_lines_carry_the_time_of_what_they_tell() -> None:
    at = BEGIN.timestamp()
    for log, text in (line for tick in story(3, MINUTE) for line in tick):
        ((_, moment),) = times([text], at + 3600, UTC)
        if moment != int((at + 3600) * 1000):  # a traceback's lines have none
            assert at - 1 <= moment / 1000 <= at + 60, (log, text)


def test_files_are_written_rotated_and_kept_small(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Random(1))
    files = [Path(glob) for each in demo_inputs(tmp_path) for glob in each.globs]
    assert len(files) == len(LOGS)
    assert all(path.exists() for path in files)
    for minute in range(20):
        writer.write_past(MINUTE)
        writer.rotate()
        assert minute >= len(LOGS) - 1 or len(list(tmp_path.rglob("*.1"))) == minute + 1
    rotated = {path.with_name(f"{path.name}.1") for path in files}
    assert rotated | set(files) == {path for path in tmp_path.rglob("*") if path.is_file()}
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.1")) < 4 << 20
