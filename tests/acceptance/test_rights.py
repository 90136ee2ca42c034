"""What each process needs to be allowed on RabbitMQ, and what it says and does where that is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import split
from urllib.parse import urlsplit
from uuid import uuid4

import pika
import pytest
from rabbitmq_node import PASSWORD, USER, RabbitNode

from acceptance.conftest import Command, Start, wait_for

User = Callable[..., str]

ASKING_TAKES_A_RIGHT = (4, 2, 6)
"""From this version on; before, a shipper that may not send a probe asks for a router's marker instead."""


@pytest.fixture
def user(rabbitmq: RabbitNode) -> User:
    """Makes a user that may configure, write and read what these patterns match; its way to the broker."""

    def make(*rights: str) -> str:
        name = f"user-{uuid4().hex[:8]}"
        rabbitmq.control("add_user", name, "secret")
        rabbitmq.control("set_permissions", name, *rights)
        return rabbitmq.url.replace(f"{USER}:{PASSWORD}", f"{name}:secret")

    return make


@pytest.fixture
def documented(user: User, rabbitmq: RabbitNode) -> Mapping[str, str]:
    """The ways to the broker of the users that docs/operations.md gives, for the instance `least`."""
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text().replace("main", "least")
    (block,) = [each for each in text.split("```") if "rabbitmqctl set_permissions" in each]
    lines = block.replace("\\\n", " ").splitlines()
    if rabbitmq.version < ASKING_TAKES_A_RIGHT:
        lines = [line for line in lines if "since RabbitMQ 4.2.6" not in line]
    commands = [split(line, comments=True) for line in lines if line.startswith("rabbitmqctl set_permissions")]
    return {name: user(*rights) for _, _, name, *rights in commands}


def name_in(url: str) -> str:
    """The user in an address."""
    name = urlsplit(url).username
    assert name is not None  # by `user`
    return name


def said(log: str, event: str) -> list[str]:
    """The log lines of an event."""
    return [line for line in log.splitlines() if f" {event}: " in line]


@pytest.mark.parametrize("missing", ["write", "configure"])
def test_a_statement_that_is_refused_hinders_no_line(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, user: User, missing: str
) -> None:
    if rabbitmq.version >= ASKING_TAKES_A_RIGHT:
        pytest.skip("a shipper that may not send statements may not find out whether a router has been here")
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    common = ("--instance", f"no-{missing}")
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    writable = "^log$" if missing == "write" else r"^log(router\.reports)?$"
    if missing == "configure":  # which takes it only where the exchange is not there
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
            connection.channel().exchange_delete("logrouter.reports")
    shipper = ("--broker", user("^$", writable, "^$"), *common, "--file", f"web={tmp_path}/web.log")
    for _ in range(2):
        shipped = logrouter("ship", "--drain", "--drain-timeout", "20", *shipper)
        assert shipped.returncode == 0, shipped.stderr
        assert not said(shipped.stderr, "broker.lost")
        (refused,) = said(shipped.stderr, "statement.refused")
        assert refused.endswith(f"give its user {missing} on 'logrouter.reports' (rabbitmqctl set_permissions)")
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    audit = logrouter("audit", "--broker", rabbitmq.url, *common)
    assert audit.returncode == 0, audit.stdout
    assert "decided                        2" in audit.stdout
    assert "repeated                       0" in audit.stdout


def test_the_documented_rights_are_enough(
    start: Start, logrouter: Command, tmp_path: Path, documented: Mapping[str, str]
) -> None:
    (tmp_path / "web.log").write_text("ERROR one\nINFO two\n")
    instance = ("--instance", "least")
    ran = [logrouter("run", "--drain", "--broker", documented["run"], *instance)]
    tail = start("tail", "--json", "--broker", documented["tail"], "web.least.*", "backup.least.*")
    wait_for(tail, "listening.begun")
    shipping = ("--file", f"web={tmp_path}/web.log", "--host", "least", "--broker", documented["ship"], *instance)
    ran.append(logrouter("ship", "--drain", *shipping))
    typed = ("--service", "backup", "--host", "least", "--broker", documented["publish"])
    ran.append(logrouter("publish", *typed, typed="three\n"))
    ran.append(logrouter("run", "--drain", "--broker", documented["run"], *instance))
    for each in ran:
        assert each.returncode == 0, each.stderr
        assert "ACCESS_REFUSED" not in each.stderr
    assert tail.stdout is not None
    assert sorted(json.loads(tail.stdout.readline())["message"] for _ in range(3)) == ["ERROR one", "INFO two", "three"]
    audit = logrouter("audit", "--broker", documented["audit"], *instance)
    assert audit.returncode == 0, audit.stdout
    assert "read                           2  records of 1 source" in audit.stdout
    assert "  to mail                      1" in audit.stdout


def test_an_audit_that_may_not_look_into_the_queues_says_so(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, user: User
) -> None:
    common, blind = ("--instance", "untold"), user("^$", "^$", "^$")
    (tmp_path / "web.log").write_text("INFO one\n")
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    shipping = ("ship", "--drain", "--broker", rabbitmq.url, *common, "--file", f"web={tmp_path}/web.log")
    assert logrouter(*shipping).returncode == 0
    waiting = logrouter("audit", "--broker", blind, *common)
    assert waiting.returncode == 3, waiting.stdout
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    audit = logrouter("audit", "--broker", blind, *common)
    if rabbitmq.version < ASKING_TAKES_A_RIGHT:
        assert "logrouter.untold" in waiting.stdout
        assert audit.returncode == 0, audit.stdout
    else:
        for each in (waiting, audit):
            assert each.returncode == 3, each.stdout
            assert "queued                         0  unknown" in each.stdout
            assert "give its user write on 'logrouter.untold' (rabbitmqctl set_permissions)" in each.stdout
            assert "likewise for logrouter.untold.dead, logrouter.untold.reports, logrouter.untold.mail" in each.stdout


def test_a_listener_that_may_not_listen_is_told_what_it_needs(logrouter: Command, user: User) -> None:
    refused = logrouter("tail", "--broker", user("^$", "^$", "^$"), "web.#")
    assert refused.returncode == 1
    assert "give its user configure on 'logrouter.tail." in refused.stderr


def test_a_shipper_that_may_not_publish_waits_for_the_right(
    start: Start, logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, user: User
) -> None:
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    common = ("--instance", "unwritten")
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    url = user("^$", "^$", "^$")
    ship = start("ship", "--broker", url, *common, "--file", f"web={tmp_path}/web.log")
    log = wait_for(ship, "publish.refused")
    if rabbitmq.version < ASKING_TAKES_A_RIGHT:
        assert "give its user write on 'log' (rabbitmqctl set_permissions)" in log
    else:
        assert "give its user write on 'log' and on 'logrouter.reports' (rabbitmqctl set_permissions)" in log
    rabbitmq.control("set_permissions", name_in(url), "^$", "^log", "^$")
    log += wait_for(ship, "publish.taken")
    ship.terminate()
    log += ship.communicate(timeout=20)[1]
    counts = {event: len(said(log, event)) for event in ("publish.refused", "publish.taken", "broker.lost")}
    assert counts == {"publish.refused": 1, "publish.taken": 1, "broker.lost": 0}, log
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    audit = logrouter("audit", "--broker", rabbitmq.url, *common)
    assert audit.returncode == 0, audit.stdout
    assert "decided                        2" in audit.stdout


def test_a_router_says_each_right_that_it_lacks_once(start: Start, rabbitmq: RabbitNode, user: User) -> None:
    url = user("^$", "^$", "^$")
    run = start("run", "--broker", url, "--instance", "forbidden")
    log = wait_for(run, "give its user configure on 'logrouter.forbidden.lease' (rabbitmqctl set_permissions)")
    rabbitmq.control("set_permissions", name_in(url), "^logrouter", "^$", "^log")
    log += wait_for(run, "give its user configure on 'log' (rabbitmqctl set_permissions)")
    rabbitmq.control("set_permissions", name_in(url), "^log", "^$", "^log")
    log += wait_for(run, "and write on 'amq.default' (rabbitmqctl set_permissions)")
    rabbitmq.control("set_permissions", name_in(url), "^log", "^amq", "^log")
    log += wait_for(run, "give its user write on 'logrouter.forbidden.reports' and read on 'logrouter.reports'")
    rabbitmq.control("set_permissions", name_in(url), "^log", ".*", "^log")
    log += wait_for(run, "broker.allowed")
    run.terminate()
    log += run.communicate(timeout=20)[1]
    counts = {event: len(said(log, event)) for event in ("broker.forbidden", "broker.allowed", "broker.lost")}
    assert counts == {"broker.forbidden": 4, "broker.allowed": 1, "broker.lost": 0}, log
    assert run.returncode == 0


def test_publish_that_may_not_is_told_what_it_needs(logrouter: Command, rabbitmq: RabbitNode, user: User) -> None:
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, "--instance", "unwritten").returncode == 0
    refused = logrouter("publish", "--service", "backup", "--broker", user("^$", "^$", "^$"), typed="one\n")
    assert refused.returncode == 1
    assert "give its user write on 'log'" in refused.stderr
