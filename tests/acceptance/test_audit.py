"""`logrouter audit`: whole where all is there, and whatever is done to archive or ledger is found and named."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pika
import pytest
from rabbitmq_node import RabbitNode

from acceptance.conftest import Command

LINES = 500


@pytest.fixture
def routed(logrouter: Command, tmp_path: Path) -> Path:
    """What `up --drain` has made of a file; the archive's one file."""
    (tmp_path / "web.log").write_text("".join(f"INFO line {number}\n" for number in range(LINES)) + "DEBUG noise\n")
    result = logrouter("up", "--drain", "--file", f"web={tmp_path}/web.log", "--host", "w1")
    assert result.returncode == 0, result.stderr
    (path,) = (tmp_path / "state/archive").rglob("*.gz")
    return path


def test_all_is_there(logrouter: Command, routed: Path) -> None:
    result = logrouter("audit")
    assert result.returncode == 0, result.stdout
    assert "ok: every line is accounted for" in result.stdout
    report = json.loads(logrouter("audit", "--json").stdout)
    assert (report["status"], report["lines"], report["decided"]) == (0, LINES + 1, LINES + 1)
    assert report["destinations"] == {"archive": LINES, "discard": 1}
    assert report["archived"] == {"archive": LINES}
    assert (report["missing"], report["twice"], report["altered"], report["out_of_order"]) == (0, 0, 0, 0)
    (source,) = report["sources"]
    assert source["lines"] == source["decided"] == LINES + 1
    assert source["path"].endswith("/web.log")


def rewritten(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(change(lines))))

    return rewrite


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="file removed"),
        pytest.param(flip_a_bit, id="bit flipped"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:200]), id="file cut short"),
        pytest.param(rewritten(lambda lines: lines[:-1]), id="last line removed"),
        pytest.param(rewritten(lambda lines: lines[:10] + lines[11:]), id="line removed"),
        pytest.param(rewritten(lambda lines: [lines[1], lines[0], *lines[2:]]), id="lines swapped"),
        pytest.param(rewritten(lambda lines: [lines[0], *lines[:-1]]), id="line twice in place of another"),
        pytest.param(rewritten(lambda lines: [lines[0].replace(b"line 0", b"line 9"), *lines[1:]]), id="line altered"),
    ],
)
def test_a_file_that_is_not_what_was_committed_is_named(
    logrouter: Command, routed: Path, damage: Callable[[Path], None]
) -> None:
    damage(routed)
    result = logrouter("audit")
    assert result.returncode == 1
    assert "failed: see the findings above" in result.stdout
    assert f"altered: archive: web/w1/{routed.name}" in result.stdout


def ledger(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "state/main.ledger")
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def test_what_was_confirmed_and_never_decided_is_missing(logrouter: Command, routed: Path, tmp_path: Path) -> None:
    ledger(tmp_path, "UPDATE ranges SET start = 150")
    ledger(tmp_path, "INSERT INTO ranges SELECT stage, source, 0, 100, day FROM ranges")
    result = logrouter("audit")
    assert result.returncode == 1
    assert "(" + str(tmp_path / "web.log") + "): 50 bytes were confirmed and not decided: [100, 150)" in result.stdout


def test_a_tail_that_vanished_is_missing(logrouter: Command, routed: Path, tmp_path: Path) -> None:
    """The last message of a chain leaves no gap behind it: only the shipper's statement tells."""
    size = (tmp_path / "web.log").stat().st_size
    ledger(tmp_path, f"UPDATE ranges SET stop = {size - 12}")
    result = logrouter("audit")
    assert result.returncode == 1
    assert f"[{size - 12}, {size})" in result.stdout


def test_a_record_that_was_decided_and_is_in_no_file_is_missing(
    logrouter: Command, routed: Path, tmp_path: Path
) -> None:
    ledger(tmp_path, "UPDATE counts SET records = records + 1 WHERE destination = 'archive'")
    result = logrouter("audit")
    assert result.returncode == 1
    assert "1 of the records that were decided for it are not in its files" in result.stdout


def test_what_waits_for_a_mail_server_is_not_settled(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "destinations:\n"
        "  archive: {type: archive}\n"
        "  mail: {type: email, to: ops@example.org, server: 'smtp://127.0.0.1:9', group_wait: 0s}\n"
        "default: [archive, mail]\n"
    )
    (tmp_path / "web.log").write_text("ERROR one\n")
    options = ("--rules", tmp_path / "rules.yaml")
    up = logrouter("up", "--drain", "--drain-timeout", "3", "--file", f"web={tmp_path}/web.log", *options)
    assert up.returncode == 1
    result = logrouter("audit", *options)
    assert result.returncode == 3, result.stdout
    assert "1 messages wait in the queue logrouter.main.mail.retry.10s" in result.stdout
    assert "every line is accounted for" not in result.stdout


def test_removed_by_retention_is_known(logrouter: Command, routed: Path, tmp_path: Path) -> None:
    ledger(tmp_path, "UPDATE files SET state = 'removed'")
    routed.unlink()
    report = json.loads(logrouter("audit", "--json").stdout)
    assert (report["status"], report["removed"]) == (0, {"archive": LINES})


def test_a_part_of_it(logrouter: Command, routed: Path) -> None:
    for option, lines in (
        ("--service=web", LINES + 1),
        ("--service=db", 0),
        ("--host=w2", 0),
        ("--until=2020-01-01", 0),
    ):
        report = json.loads(logrouter("audit", "--json", option).stdout)
        assert (report["status"], report["decided"], option) == (0, lines, option)


def test_over_rabbitmq(logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode) -> None:
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    options = ("--broker", rabbitmq.url, "--instance", "audited")
    source = ("--file", f"web={tmp_path}/web.log")
    for command in (["run", "--drain"], ["ship", "--drain", *source]):
        result = logrouter(*command, *options)
        assert result.returncode == 0, result.stderr
    waiting = logrouter("audit", *options)
    assert waiting.returncode == 3
    assert "wait in the queue logrouter.audited" in waiting.stdout
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert result.returncode == 0, result.stdout
    assert "read                           2  records of 1 source" in result.stdout
    away = logrouter("audit", "--broker", "amqp://127.0.0.1:9", "--instance", "audited")
    assert away.returncode == 3
    assert "cannot ask the broker what waits" in away.stdout


def test_what_nobody_states_is_not_laid_to_a_shipper(logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode) -> None:
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    broker = ("--broker", rabbitmq.url)
    options = (*broker, "--instance", "typed")
    assert logrouter("run", "--drain", *options).returncode == 0
    assert logrouter("ship", "--drain", "--file", f"web={tmp_path}/web.log", *options).returncode == 0
    assert logrouter("run", "--drain", *options).returncode == 0
    stated = "read                           2  records of 1 source, as stated by shippers"
    assert f"{stated}\n" in logrouter("audit", *options).stdout
    assert logrouter("publish", "--service", "backup", *broker, typed="disk full\n").returncode == 0
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert result.returncode == 0, result.stdout
    assert f"{stated}; the rest is not covered by a statement\ndecided                        3" in result.stdout


def test_no_ledger(logrouter: Command) -> None:
    result = logrouter("audit")
    assert result.returncode == 1
    assert "there is no ledger" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dead_letter_is_not_settled(logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode) -> None:
    options = ("--broker", rabbitmq.url, "--instance", "poisoned")
    assert logrouter("run", "--drain", *options).returncode == 0
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    with connection:
        properties = pika.BasicProperties(type="logrouter.batch/1")
        connection.channel().basic_publish("log", "web.w1.info", b"not ours at all", properties)
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert result.returncode == 3, result.stdout
    assert "1 messages wait in the queue logrouter.poisoned.dead" in result.stdout


def test_a_text_archive_with_a_line_too_many(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("destinations: {archive: {type: archive, format: text}}\n")
    (tmp_path / "web.log").write_text("one\ntwo\n")
    options = ("--rules", tmp_path / "rules.yaml")
    assert logrouter("up", "--drain", "--file", f"web={tmp_path}/web.log", *options).returncode == 0
    assert logrouter("audit", *options).returncode == 0
    ledger(tmp_path, "UPDATE files SET records = records + 1")
    result = logrouter("audit", *options)
    assert result.returncode == 1
    assert "its files hold 1 more records than were decided for it" in result.stdout


def test_what_waits_for_a_stuck_archive_is_not_settled(logrouter: Command, routed: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state/main.ledger")
    with connection:
        connection.execute("INSERT INTO aside VALUES ('archive', 100, 0, 1)")
        connection.execute("UPDATE counts SET records = records + 1 WHERE destination = 'archive'")
    connection.close()
    result = logrouter("audit")
    assert result.returncode == 3, result.stdout
    assert "1 records wait for destination archive, which is set aside" in result.stdout
