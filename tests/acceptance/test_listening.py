"""tail, publish and cat as a user meets them: on a running `up` and on RabbitMQ."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import subprocess
from pathlib import Path

from corpus import assert_archived_once, write_corpus
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command, Start, wait_for
from logrouter.broker import connect
from logrouter.broker.contract import EXCHANGE
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record, encode_lines


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
    publish(environment, "fine\nERROR said so\n", "--service", "backup", "--host", "h1")
    assert tail.stdout is not None
    shown = [json.loads(tail.stdout.readline()) for _ in range(4)]
    assert [(record["service"], record["host"], record["severity"], record["message"]) for record in shown] == [
        ("web", "h1", "error", "ERROR \x1b[2Jthis"),
        ("backup", "b.example.org", "alert", "one"),
        ("backup", "b.example.org", "alert", "two"),
        ("backup", "h1", "error", "ERROR said so"),
    ]
    columns = start("tail", "--since", "1h", "--grep", "this", "--severity", "error", "web.#")
    assert columns.stdout is not None
    line = columns.stdout.readline()
    assert "error   web@h1" in line
    assert "\x1b" not in line
    found = logrouter("cat", "backup.b_example_org.#", "--since", "1h")
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
    assert 100 < result.stdout.count('"service":"s0"') <= 1000
    assert result.returncode == 1


RULES = """\
destinations:
  archive: {type: archive}
  plain: {type: archive, path: "plain/{host}.log", format: text}
"""


def archive(directory: Path, files: int, lines: int = 10) -> None:
    """Files of as many hosts whose times overlap, each with so many lines."""
    for host in range(files):
        path = directory / f"web/h{host}/2026-11-22.jsonl.gz"
        path.parent.mkdir(parents=True)
        records = [
            Record(f"2026-11-22T{line:02}:{host // 60 % 60:02}:{host % 60:02}Z", "web", f"h{host}", "info",
                   f"{host} {line}", f"source{host}", 10 * line, 10 * line + 10)
            for line in range(lines)
        ]  # fmt: skip
        path.write_bytes(gzip.compress(encode_lines(records), 1))


def test_an_archive_of_more_files_than_may_be_open_is_read_in_full_and_in_order(
    logrouter: Command, tmp_path: Path
) -> None:
    archive(tmp_path / "state/archive", 1500)
    (tmp_path / "rules.yaml").write_text(RULES)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        result = logrouter("cat", "--rules", "rules.yaml")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"{host} {line}" for line in range(10) for host in range(1500)]


def test_what_is_left_out_is_named_and_the_status_says_so(
    logrouter: Command, start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    base = tmp_path / "state/archive"
    archive(base, 3)
    (tmp_path / "rules.yaml").write_text(RULES)
    (base / "lost+found").mkdir()
    (base / "lost+found/x").write_text("not ours")
    (base / "plain").mkdir()
    (base / "plain/h1+open.log").write_text("no record, and none is looked for\n")
    assert logrouter("cat", "--rules", "rules.yaml").returncode == 0
    bad = base / "web/h1/2026-11-22.jsonl.gz"
    lines = gzip.decompress(bad.read_bytes()).splitlines(keepends=True)
    odd = b'{"ts":"2026-11-22T03:30:00Z","service":"web","host":"h1","severity":"info","message":null}\n'
    bad.write_bytes(gzip.compress(b"".join([*lines[:4], odd, *lines[4:]])))
    result = logrouter("cat", "--rules", "rules.yaml")
    assert result.stdout.splitlines() == [f"{host} {line}" for line in range(10) for host in range(3)]
    assert (
        f"archive.invalid_lines: {bad}: 1 lines are not records and are left out; the first is line 5: "
        in result.stderr
    )
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
    up = start("up", "--file", "web=nothing.log")
    wait_for(up, "input.following")
    tail = start("tail", "--since", "2020-01-01", "--rules", "rules.yaml")
    assert tail.stdout is not None
    assert [tail.stdout.readline().split()[-2:] for _ in range(30)] == [
        line.split() for line in result.stdout.splitlines()
    ]
    wait_for(tail, f"archive.invalid_lines: {bad}")
    tail.terminate()
    assert tail.wait(20) == 1


def test_tail_shows_what_decodes_of_a_message(start: Start, tmp_path: Path, rabbitmq: RabbitNode) -> None:
    tail = start("tail", "odd.#", "--broker", rabbitmq.url)
    wait_for(tail, "listening.begun")
    good = Record("yesterday", "odd", "h1", "info", "shown", "s", 0, 10)
    nested = encode_lines([good]).replace(b'"pos":0', b'"fields":{"x":' + b"[" * 9000 + b"]" * 9000 + b'},"pos":0')
    body = b"".join([nested, encode_lines([good]), b'{"message":null}\n'])
    part = Part("s", 0, 0, 30, 0, ("odd.h1.info",), "odd", "h1", "info", 3, 0, 0, body)
    asyncio.run(_publish(rabbitmq.url, to_message(part)))
    said = wait_for(tail, "tail.unreadable")
    assert "2 lines are not records; the first is line 1: the body is not NDJSON records: it is nested too deep" in said
    assert tail.stdout is not None
    assert tail.stdout.readline().split() == ["yesterday", "info", "odd@h1", "shown"]


async def _publish(url: str, message: Message) -> None:
    async with connect(url, Path()).session() as session:
        await session.publish(EXCHANGE, message)


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
