"""tail, publish and cat as a user meets them: on a running `up` and on RabbitMQ."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from corpus import assert_archived_once, write_corpus
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command, Start, wait_for


def publish(environment: dict[str, str], text: str, *arguments: str) -> None:
    command = [str(PROGRAM), "publish", *arguments]
    subprocess.run(command, input=text, env=environment, text=True, check=True, timeout=60)


def test_tail_shows_what_passes_through_a_running_up(
    start: Start, logrouter: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "web.log").write_text("INFO before\n")
    up = start("up", "--file", "web=web.log", "--host", "h1")
    wait_for(up, "input.following")
    tail = start("tail", "--json", "--severity", "warning", "web.#", "backup.*.*")
    wait_for(tail, "listening.begun")
    with (tmp_path / "web.log").open("a") as log:
        log.write("INFO not this\nERROR \x1b[2Jthis\n")
    publish(environment, "nor this\n", "--service", "mail", "--severity", "crit")
    publish(environment, "one\r\ntwo", "--service", "backup", "--severity", "alert", "--host", "b.example.org")
    assert tail.stdout is not None
    shown = [json.loads(tail.stdout.readline()) for _ in range(3)]
    assert [(record["service"], record["host"], record["severity"], record["message"]) for record in shown] == [
        ("web", "h1", "error", "ERROR \x1b[2Jthis"),
        ("backup", "b.example.org", "alert", "one"),
        ("backup", "b.example.org", "alert", "two"),
    ]
    columns = start("tail", "--since", "1h", "--grep", "this", "--severity", "error", "web.#")
    assert columns.stdout is not None
    line = columns.stdout.readline()
    assert "error   web@h1" in line
    assert "\x1b" not in line
    found = logrouter("cat", "backup.#", "--since", "1h")
    assert found.stdout == "one\ntwo\n"


def test_cat_gives_the_original_lines_back(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"2026-11-22T10:00:00Z one\r\n2026-11-22T12:00:00Z \xff\x00two\n\n")
    (tmp_path / "b.log").write_bytes(b"2026-11-22T11:00:00Z ERROR between\n")
    drained = logrouter("up", "--drain", "--file", "a=a.log", "--file", "b=b.log")
    assert drained.returncode == 0, drained.stderr
    raw = subprocess.run(
        [str(PROGRAM), "cat", "--until", "2099-01-01", "--state", str(tmp_path / "state")],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    lines = raw.splitlines(keepends=True)
    assert [line for line in lines if b"ERROR" not in line] == [
        b"2026-11-22T10:00:00Z one\r\n",
        b"2026-11-22T12:00:00Z \xff\x00two\n",
        b"\n",
    ]
    assert logrouter("cat", "b.*.error").stdout == "2026-11-22T11:00:00Z ERROR between\n"
    assert logrouter("cat", "--grep", "on?e$", "--json").stdout.count("\n") == 1
    assert logrouter("cat", "--since", "2099-01-01").stdout == ""


def test_a_damaged_file_is_named_and_the_rest_is_shown(logrouter: Command, tmp_path: Path) -> None:
    write_corpus(tmp_path / "logs", 2000, files=2)
    for number in range(2):
        assert logrouter("up", "--drain", "--file", f"s{number}=logs/app{number}.log").returncode == 0
    (first,) = (tmp_path / "state/archive/s0").rglob("*.gz")
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 0x10
    first.write_bytes(content)
    result = logrouter("cat", "--json")
    assert "archive.unreadable" in result.stderr
    assert str(first) in result.stderr
    assert result.stdout.count('"service":"s1"') == 1000


def test_tail_first_then_shipper_then_router_loses_nothing(
    start: Start, logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode
) -> None:
    files = write_corpus(tmp_path / "logs", 2000)
    common = ("--broker", rabbitmq.url)
    tail = start("tail", "#", "--json", *common)
    wait_for(tail, "listening.begun")
    instance = ("--instance", "later")
    ship = start("ship", "--file", f"app={tmp_path}/logs/*.log", *common, *instance)
    wait_for(ship, "router.absent")
    assert logrouter("run", "--drain", *common, *instance).returncode == 0
    assert tail.stdout is not None
    shown = [tail.stdout.readline() for _ in range(2000)]
    assert all('"service":"app"' in line for line in shown)
    ship.terminate()
    assert ship.wait(20) == 0
    assert logrouter("run", "--drain", *common, *instance).returncode == 0
    assert_archived_once(tmp_path / "state/archive", files)


def test_publish_without_a_broker_says_so(logrouter: Command) -> None:
    result = logrouter("publish", "--service", "x", "--broker", "amqp://u:secret@127.0.0.1:1")
    assert result.returncode == 1
    assert "127.0.0.1:1" in result.stderr
    assert "secret" not in result.stderr
