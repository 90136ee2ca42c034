"""`some-program | logrouter ship --stdin`: it ends when all is confirmed, and what it had to leave comes later."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from corpus import assert_archived_once, write_corpus
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command


def test_all_of_a_program_is_in_the_archive_in_order(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], rabbitmq: RabbitNode
) -> None:
    (path,) = write_corpus(tmp_path / "logs", 50_000, files=1)
    path.write_bytes(path.read_bytes() + b"last, without newline")
    options = ("--broker", rabbitmq.url, "--instance", "stdin")
    assert logrouter("run", "--drain", *options).returncode == 0
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as program:
        command = [str(PROGRAM), "ship", "--stdin", "--service", "app", *options]
        shipped = subprocess.run(command, stdin=program.stdout, env=environment, cwd=tmp_path, timeout=60, check=False)
    assert shipped.returncode == 0
    assert list((tmp_path / "state/shipper/spool").rglob("*.spool")) == []
    assert logrouter("run", "--drain", *options).returncode == 0
    assert_archived_once(tmp_path / "state/archive", [path])
    assert {path.parents[1].name for path in (tmp_path / "state/archive").rglob("*.gz")} == {"app"}


def test_with_the_broker_down_a_later_start_sends_it(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], rabbitmq: RabbitNode
) -> None:
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "stdin2")
    assert logrouter("run", *options).returncode == 0
    (tmp_path / "sent").write_bytes(b"WARN one\ntwo\n")
    command = [str(PROGRAM), "ship", "--stdin", "--service", "app", "--severity", "notice"]
    command += ["--broker", "amqp://127.0.0.1:1"]
    with (tmp_path / "sent").open("rb") as sent:
        shipper = subprocess.Popen(command, stdin=sent, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while [path.stat().st_size for path in (tmp_path / "state/shipper").rglob("*.spool")] != [13]:
        assert shipper.poll() is None
    shipper.send_signal(signal.SIGTERM)
    assert shipper.wait(20) == 0
    (tmp_path / "other.log").touch()
    assert logrouter("ship", "--file", "other=other.log", *options).returncode == 0
    assert logrouter("run", *options).returncode == 0
    assert_archived_once(tmp_path / "state/archive", [tmp_path / "sent"])


def test_usage(logrouter: Command) -> None:
    for arguments in (["--stdin"], ["--service", "app"]):
        result = logrouter("ship", *arguments)
        assert result.returncode == 2
        assert "--stdin --service NAME" in result.stderr


def test_what_was_to_be_redacted_is_when_a_later_start_sends_it(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], rabbitmq: RabbitNode
) -> None:
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "stdin3")
    assert logrouter("run", *options).returncode == 0
    content = b"pay 4111 1111 1111 1111\r\n10.0.0.1\n"
    (tmp_path / "sent").write_bytes(content)
    command = [str(PROGRAM), "ship", "--stdin", "--service", "app", "--redact", "card", "--redact", "ip"]
    command += ["--broker", "amqp://127.0.0.1:1"]
    with (tmp_path / "sent").open("rb") as sent:
        shipper = subprocess.Popen(command, stdin=sent, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while [path.stat().st_size for path in (tmp_path / "state/shipper").rglob("*.spool")] != [len(content)]:
        assert shipper.poll() is None
    shipper.send_signal(signal.SIGTERM)
    assert shipper.wait(20) == 0
    (tmp_path / "other.log").touch()
    assert logrouter("ship", "--file", "other=other.log", *options).returncode == 0
    assert logrouter("run", *options).returncode == 0
    archived = logrouter("cat").stdout
    assert archived == "pay [card]\n[ip]\n"
