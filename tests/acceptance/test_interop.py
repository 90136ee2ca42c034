"""docs/interop.md as it stands: what other programs publish arrives."""

from __future__ import annotations

import json
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pika
import pytest
from corpus import read_archive
from needs import needs
from ports import free_port
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command

INTEROP = Path(__file__).parents[2] / "docs" / "interop.md"


def snippet(holding: str) -> str:
    """The block of the document that holds a text."""
    (block,) = (block for block in INTEROP.read_text().split("```")[1::2] if holding in block)
    return block.partition("\n")[2]


def test_any_amqp_client(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "interop")
    assert logrouter("run", *options).returncode == 0
    connection: Any = partial(pika.BlockingConnection, pika.URLParameters(rabbitmq.url))
    monkeypatch.setattr(pika, "BlockingConnection", connection)
    names: dict[str, Any] = {}
    exec(snippet("import pika"), names)
    names["channel"].connection.close()
    assert logrouter("run", *options).returncode == 0
    (record,) = read_archive(tmp_path / "state/archive")
    assert (record.service, record.host, record.severity, record.message) == (
        "orders", "shop1", "error", "payment refused",
    )  # fmt: skip


def test_rsyslog(tmp_path: Path, environment: dict[str, str]) -> None:
    needs("rsyslogd")
    port = free_port()
    local = tmp_path / "log"  # in place of /dev/log
    (tmp_path / "rsyslog.conf").write_text(
        f'global(workDirectory="{tmp_path}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{local}")\n{snippet("omfwd").replace("5514", str(port))}'
    )
    (tmp_path / "inputs.yaml").write_text(json.dumps({"syslog": {"tcp": f"127.0.0.1:{port}"}}))
    up = subprocess.Popen([PROGRAM, "up", "--config", "inputs.yaml"], cwd=tmp_path, env=environment)
    while not _listens(port):
        assert up.poll() is None
    rsyslog = subprocess.Popen(
        ["rsyslogd", "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "pid"], env=environment
    )
    try:
        while not local.exists():
            assert rsyslog.poll() is None
        subprocess.run(["logger", "-u", local, "-t", "sshd", "-p", "auth.err", "refused"], check=True)
        while not (records := read_archive(tmp_path / "state/archive")):
            assert up.poll() is None
    finally:
        for process in (rsyslog, up):
            process.terminate()
            process.wait()
    (record,) = records
    assert (record.service, record.severity, record.app, record.message.strip()) == ("auth", "error", "sshd", "refused")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
