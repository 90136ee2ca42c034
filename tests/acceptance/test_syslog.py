"""Syslog into `logrouter up`: once in the archive, whatever is killed in between."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from pathlib import Path

from corpus import read_archive
from mail_server import make_certificate
from ports import free_port

from acceptance.conftest import PROGRAM, Command
from logrouter.wire.record import original


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


def test_by_tls_from_a_client_that_shows_its_certificate(
    logrouter: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Case 57: the archive stays where it is, whatever host a message names."""
    for name in ("server", "client"):
        (tmp_path / name).mkdir()
        make_certificate(tmp_path / name)
    server, own = tmp_path / "server", tmp_path / "client"
    port = free_port()
    place = {
        "tls": f"127.0.0.1:{port}",
        "certificate": f"{server}/certificate.pem",
        "key": f"{server}/key.pem",
        "client_ca": f"{own}/certificate.pem",
    }
    (tmp_path / "in.yaml").write_text(json.dumps({"syslog": place}))
    context = ssl.create_default_context(cafile=f"{server}/certificate.pem")
    context.load_cert_chain(own / "certificate.pem", own / "key.pem")
    hosts = ["../../etc/x", "/etc/x", "..", "a/../../b", "plain"]
    sent = [f"<22>Nov 22 13:00:00 {host} postfix[9]: message {index}" for host in hosts for index in range(1000)]
    with subprocess.Popen(
        [PROGRAM, "up", "--config", "in.yaml"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _send_by_tls(port, context, sent)
        finally:
            process.terminate()
    result = logrouter("up", "--config", "in.yaml", "--drain")
    assert result.returncode == 0, result.stderr
    records = read_archive(tmp_path / "state/archive")
    assert sorted(original(record).decode() for record in records) == sorted(f"{each}\n" for each in sent)
    assert {record.host for record in records} == set(hosts)
    assert not [path for path in tmp_path.rglob("*.gz") if not path.is_relative_to(tmp_path / "state/archive")]


def _send_by_tls(port: int, context: ssl.SSLContext, messages: list[str]) -> None:
    with context.wrap_socket(_connect(port), server_hostname="localhost") as client:
        client.sendall("".join(f"{len(each)} {each}" for each in messages).encode())
        client.unwrap()  # the answer comes once all of it is safe


def test_a_broken_certificate_is_an_error_at_the_start(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("nothing")
    place = {"tls": "127.0.0.1:6514", "certificate": f"{tmp_path}/broken.pem"}
    (tmp_path / "in.yaml").write_text(json.dumps({"syslog": place}))
    result = logrouter("up", "--config", "in.yaml")
    assert result.returncode == 2
    assert f"{tmp_path}/broken.pem contains no certificate\n    name a PEM file" in result.stderr


def _connect(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.01)
