"""The generations of a log stand in an archive in their order, and an audit says so where they do not."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pika
import pytest
from parts import part
from rabbitmq_node import RabbitNode

from acceptance.conftest import Command
from logrouter.wire.batch import Part, to_message

LINES = 30_000


def written(name: str) -> str:
    return "".join(f"{name} line {number:06}\n" for number in range(LINES))


def published(url: str, *parts: Part) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for each in parts:
            message = to_message(each)
            properties = pika.BasicProperties(type=message.type, headers=dict(message.headers))
            channel.basic_publish("log", message.key, message.body, properties)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_rotated_while_nobody_looked_comes_oldest_first(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, workers: int
) -> None:
    options = ("--broker", rabbitmq.url, "--instance", f"generations{workers}")
    log = tmp_path / "web.log"
    shipping = ("ship", "--drain", "--workers", workers, "--file", f"web={log}", *options)
    log.write_text("first\n")
    assert logrouter("run", "--drain", *options).returncode == 0
    assert logrouter(*shipping).returncode == 0
    with log.open("a") as file:
        file.write(written("A"))
    log.rename(f"{log}.3")
    Path(f"{log}.2").write_text(written("B"))
    Path(f"{log}.1").write_text(written("C"))
    log.write_text(written("D"))
    os.utime(f"{log}.3", (time.time(), time.time() + 86400))  # the clock was a day ahead
    assert logrouter(*shipping).returncode == 0
    assert logrouter("run", "--drain", *options).returncode == 0
    assert logrouter("cat", "--raw", "--state", tmp_path / "state").stdout == "first\n" + "".join(map(written, "ABCD"))
    assert logrouter("audit", *options).returncode == 0


def test_an_audit_finds_generations_out_of_their_order(logrouter: Command, rabbitmq: RabbitNode) -> None:
    options = ("--broker", rabbitmq.url, "--instance", "disordered")
    assert logrouter("run", "--drain", *options).returncode == 0
    late = replace(part(0, 10, source="next"), after=("src", 50))
    published(rabbitmq.url, late, part(0, 5, source="src"), part(5, 8, source="src"))
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert "5 records of the earlier source src follow its own" in result.stdout
    assert result.returncode == 1


def test_late_lines_of_a_renamed_file_are_in_order(logrouter: Command, rabbitmq: RabbitNode) -> None:
    options = ("--broker", rabbitmq.url, "--instance", "late")
    assert logrouter("run", "--drain", *options).returncode == 0
    following = replace(part(0, 10, source="next"), after=("src", 50))
    published(rabbitmq.url, part(0, 5, source="src"), following, part(5, 8, source="src"))
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("previous", ["src", "one that has not come either"])
def test_what_the_broker_lost_of_a_generation_before_is_counted_as_late(
    logrouter: Command, rabbitmq: RabbitNode, previous: str
) -> None:
    options = ("--broker", rabbitmq.url, "--instance", f"healed{len(previous)}")
    assert logrouter("run", "--drain", *options).returncode == 0
    published(rabbitmq.url, replace(part(0, 10, source="next"), after=(previous, 50)))
    assert logrouter("run", "--drain", *options).returncode == 0
    published(rabbitmq.url, replace(part(0, 5, source="src"), again=True))
    assert logrouter("run", "--drain", *options).returncode == 0
    result = logrouter("audit", *options)
    assert result.returncode == 0, result.stdout
    assert "late                           1" in result.stdout
