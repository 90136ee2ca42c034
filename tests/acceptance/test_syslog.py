"""Syslog into `logrouter up`: once in the archive, whatever is killed in between."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

from corpus import read_archive
from ports import free_port

from acceptance.conftest import PROGRAM, Command


def test_what_was_accepted_is_archived_once_after_kill_9(
    logrouter: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    port = free_port()
    (tmp_path / "in.yaml").write_text(json.dumps({"syslog": {"tcp": f"127.0.0.1:{port}"}}))
    spool = tmp_path / "state/shipper/spool"
    sent: list[str] = []
    for number, pause in enumerate((0.0, 0.05, 0.2, 0.6)):
        earlier = set(spool.rglob("*.spool"))
        process = subprocess.Popen(
            [PROGRAM, "up", "--config", "in.yaml"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        )
        messages = [f"round {number} message {index}" for index in range(5000)]
        client = _connect(port)
        client.sendall("".join(f"<22>postfix/smtpd[9]: {message}\n" for message in messages).encode())
        client.close()
        while sum(path.read_bytes().count(b"\n") for path in set(spool.rglob("*.spool")) - earlier) < 5000:
            assert process.poll() is None
        time.sleep(pause)  # so that it dies at different points of a message's life
        process.kill()
        process.wait()
        sent += messages
    result = logrouter("up", "--config", "in.yaml", "--drain")
    assert result.returncode == 0, result.stderr
    records = read_archive(tmp_path / "state/archive")
    assert sorted(record.message for record in records) == sorted(sent)
    assert {(record.service, record.app) for record in records} == {("mail", "postfix/smtpd")}
    assert list(spool.rglob("*.spool")) == []


def _connect(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.01)
