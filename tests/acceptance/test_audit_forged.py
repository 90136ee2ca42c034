"""What somebody makes up: it hides no lines from an audit, and what it makes an audit miss can be dismissed."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pika
import pytest
from rabbitmq_node import PASSWORD, USER, RabbitNode

from acceptance.conftest import Command, Start
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.statement import EXCHANGE, TYPE

LINES = 20


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "web.log"
    path.write_text("".join(f"INFO line {number:02}\n" for number in range(LINES)))
    return path


def published(url: str, exchange: str, message: Message, user: str = USER) -> None:
    """Publish as the shipper's own user, or as one that the broker does not vouch for."""
    properties = pika.BasicProperties(type=message.type, headers=dict(message.headers), user_id=user or None)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().basic_publish(exchange, message.key, message.body, properties)


def stated(url: str, source: str, confirmed: int = 1 << 62, lines: int = 0) -> None:
    """Say that a source is confirmed up to there."""
    its = {
        "source": source, "input": "web", "path": "/w", "start": 0, "read": confirmed, "confirmed": confirmed,
        "lines": lines, "by_line": True,
    }  # fmt: skip
    statement = {
        "kind": "shipper", "reporter": "forger", "host": "h", "version": "1", "config": "c", "started": 1e300,
        "at": 1e300, "sources": [its], "counted": {"shed": 7},
    }  # fmt: skip
    published(url, EXCHANGE, Message("shipper.h", json.dumps(statement).encode(), type=TYPE))


def sources(logrouter: Command, *options: object) -> dict[str, dict[str, Any]]:
    report = json.loads(logrouter("audit", "--json", *options).stdout)
    return {source["source"]: source for source in report["sources"]}


OTHER = "another"


@pytest.mark.parametrize("user", [USER, OTHER, ""])
def test_a_record_that_claims_the_place_of_a_whole_file_hides_none_of_its_lines(
    logrouter: Command, log: Path, rabbitmq: RabbitNode, user: str
) -> None:
    options = ("--broker", rabbitmq.url, "--instance", f"forged{len(user)}")
    file = ("--file", f"web={log}")
    assert logrouter("run", "--drain", *options).returncode == 0
    assert logrouter("ship", "--drain", *file, *options).returncode == 0
    assert logrouter("run", "--drain", *options).returncode == 0
    (source,) = sources(logrouter, *options)
    with log.open("a") as opened:
        opened.write("INFO a further line\n" * LINES)
    record = Record(
        ts="2026-11-22T10:00:00Z", service="web", host="w1", severity="info", message="made up", source=source,
        pos=13 * LINES, end=log.stat().st_size,
    )  # fmt: skip
    part = Part(
        source=source, start=0, from_=record.pos, to=record.end, part=0, keys=("web.w1.info",), service="web",
        host="w1", severity="info", count=1, first=1795341600000, last=1795341600000, body=encode_lines([record]),
    )  # fmt: skip
    url = rabbitmq.url
    if user == OTHER:
        rabbitmq.control("add_user", OTHER, "secret")
        rabbitmq.control("set_permissions", OTHER, "^$", "^log", "^$")
        url = url.replace(f"{USER}:{PASSWORD}", f"{OTHER}:secret")
    published(url, "log", to_message(part), user)
    assert logrouter("run", "--drain", *options).returncode == 0
    assert logrouter("ship", "--drain", *file, *options).returncode == 0
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    if user != USER:  # it is laid among the dead letters, since the source is somebody's
        assert (result.returncode, f"decided{2 * LINES:>25}" in result.stdout) == (3, True), result.stdout
        return
    assert result.returncode == 1, result.stdout
    lacks = f"{LINES - 1} of {2 * LINES} lines were confirmed and not decided, although their bytes were"
    assert f"missing: source {source} ({log}): {lacks}" in result.stdout


def test_what_was_made_up_is_dismissed_while_a_router_runs(
    logrouter: Command, start: Start, log: Path, rabbitmq: RabbitNode, tmp_path: Path
) -> None:
    options = ("--broker", rabbitmq.url, "--instance", "dismissing")
    file = ("--file", f"web={log}")
    assert logrouter("run", "--drain", *options).returncode == 0
    router = start("run", *options)
    assert logrouter("ship", "--drain", *file, *options).returncode == 0
    for source in ("made-up", "other"):
        stated(rabbitmq.url, source)
    ledger = sqlite3.connect(tmp_path / "state/dismissing.ledger")
    while ledger.execute("SELECT count(*), sum(lines) FROM stated").fetchone() != (3, LINES):
        time.sleep(0.05)
    ledger.execute("UPDATE stated SET at = 0")  # else it may still be on its way
    ledger.commit()
    before = logrouter("audit", *options)
    assert before.returncode == 1, before.stdout
    assert f"missing: source made-up (/w): {1 << 62} bytes were confirmed and not decided" in before.stdout
    assert sources(logrouter, *options)["made-up"]["reporter"] == "forger"
    one = logrouter("audit", "--forget", "made-up", *options)
    assert (one.returncode, one.stdout) == (
        0, f"source made-up: dismissed {1 << 62} bytes and 0 lines that were not decided\n",
    )  # fmt: skip
    rest = logrouter("audit", "--forget-reporter", "forger", *options)
    assert rest.returncode == 0
    assert "reporter forger: 1 source dismissed" in rest.stdout
    with log.open("a") as opened:
        opened.write("INFO a further line\n")
    assert logrouter("ship", "--drain", *file, *options).returncode == 0
    router.terminate()
    assert router.wait(20) == 0
    after = logrouter("audit", *options)
    assert after.returncode == 0, after.stdout
    assert "dismissed                      2  sources, by --forget" in after.stdout
    assert "shed" not in after.stdout


def test_what_there_is_not_cannot_be_dismissed(logrouter: Command, log: Path) -> None:
    assert logrouter("up", "--drain", "--file", f"web={log}").returncode == 0
    for options in (("--forget", "unknown"), ("--forget-reporter", "nobody")):
        result = logrouter("audit", *options)
        assert result.returncode == 2
        assert "logrouter audit --json" in result.stderr


def test_a_source_that_is_hopeless_is_dismissed_where_no_router_runs(
    logrouter: Command, log: Path, tmp_path: Path
) -> None:
    assert logrouter("up", "--drain", "--file", f"web={log}").returncode == 0
    connection = sqlite3.connect(tmp_path / "state/main.ledger")
    with connection:
        connection.execute("UPDATE ranges SET stop = 26")
        connection.execute("UPDATE counts SET records = 2")
        connection.execute("UPDATE files SET state = 'removed', records = 2")
    connection.close()
    assert logrouter("audit").returncode == 1
    (source,) = sources(logrouter)
    said = logrouter("audit", "--forget", source).stdout
    assert said == f"source {source}: dismissed {13 * LINES - 26} bytes and 0 lines that were not decided\n"
    result = logrouter("audit")
    assert result.returncode == 0, result.stdout
    assert logrouter("up", "--drain", "--file", f"web={log}").returncode == 0  # and says it again
    assert logrouter("audit").returncode == 0
