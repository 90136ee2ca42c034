"""The main job as a user does it: files in, archive out, each line once and in order."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from corpus import assert_archived_once, write_corpus
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command

LINES = 200_000


def test_up_drains_files_into_the_archive(logrouter: Command, tmp_path: Path) -> None:
    files = write_corpus(tmp_path / "logs", LINES)
    result = logrouter("up", "--drain", "--file", f"app={tmp_path}/logs/*.log", "--host", "h1.example.org")
    assert result.returncode == 0, result.stderr
    assert_archived_once(tmp_path / "state/archive", files)
    assert {path.parent.name for path in (tmp_path / "state/archive").rglob("*.gz")} == {"h1.example.org"}


@pytest.mark.parametrize("how", [(), ("--compress", "--workers", "1")], ids=["plain", "compressed"])
def test_ship_and_run_over_rabbitmq(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, how: tuple[str, ...]
) -> None:
    files = write_corpus(tmp_path / "logs", LINES)
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "accept")
    for command in (["run"], ["ship", "--file", f"app={tmp_path}/logs/*.log", *how], ["run"]):
        result = logrouter(*command, *options)
        assert result.returncode == 0, result.stderr
        assert "s3cret-pass" not in result.stderr
    assert_archived_once(tmp_path / "state/archive", files)


def test_from_up_to_ship_and_run_on_the_same_state(logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode) -> None:
    (path,) = write_corpus(tmp_path / "logs", 1000, files=1)
    half = path.read_bytes()
    source = ("--file", f"app={path}")
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "moved")
    assert logrouter("up", "--drain", "--instance", "moved", *source).returncode == 0
    path.write_bytes(half + half)
    for command in (["run"], ["ship", *source], ["run"]):
        result = logrouter(*command, *options)
        assert result.returncode == 0, result.stderr
    assert_archived_once(tmp_path / "state/archive", [path])


def test_up_killed_again_and_again_archives_each_line_once(
    logrouter: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    files = write_corpus(tmp_path / "logs", 100_000)
    arguments = ["up", "--drain", "--file", f"app={tmp_path}/logs/*.log"]
    kills = 0
    for wait in (0.5, 0.6, 0.7, 0.8, 0.9):
        process = subprocess.Popen([PROGRAM, *arguments], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert kills > 0
    result = logrouter(*arguments)
    assert result.returncode == 0, result.stderr
    assert_archived_once(tmp_path / "state/archive", files)


def test_what_is_left_behind_is_named(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"whole\nhalf")
    result = logrouter("up", "--drain", "--file", "app=app.log")
    assert result.returncode == 0
    assert "app.log: last line without newline, 4 bytes" in result.stderr
    (tmp_path / "app.log").write_bytes(b"whole\nhalf no more\n")
    assert logrouter("up", "--drain", "--file", "app=app.log").returncode == 0
    assert_archived_once(tmp_path / "state/archive", [tmp_path / "app.log"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, environment: dict[str, str], number: signal.Signals) -> None:
    (tmp_path / "app.log").write_bytes(b"one\n")
    process = subprocess.Popen(
        [PROGRAM, "up", "--file", "app=app.log"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while not list((tmp_path / "state/archive").rglob("*.gz")):
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(20) == 0
    process.stderr.close()
    assert_archived_once(tmp_path / "state/archive", [tmp_path / "app.log"])


def test_undrained_in_time_says_what_remains(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"one\n")
    result = logrouter(
        "ship", "--drain", "--drain-timeout", "1", "--file", "app=app.log", "--broker", "amqp://127.0.0.1:1"
    )
    assert result.returncode == 1
    assert "4 bytes are not confirmed" in result.stderr
    assert result.stderr.count("broker.lost") == 1
