"""What each process needs to be allowed on RabbitMQ, and what it says and does where that is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from rabbitmq_node import PASSWORD, USER, RabbitNode

from acceptance.conftest import Command

User = Callable[..., str]


@pytest.fixture
def user(rabbitmq: RabbitNode) -> User:
    """Makes a user that may configure, write and read what these patterns match; its way to the broker."""

    def make(*rights: str) -> str:
        name = f"user-{uuid4().hex[:8]}"
        rabbitmq.control("add_user", name, "secret")
        rabbitmq.control("set_permissions", name, *rights)
        return rabbitmq.url.replace(f"{USER}:{PASSWORD}", f"{name}:secret")

    return make


def said(log: str, event: str) -> list[str]:
    """The log lines of an event."""
    return [line for line in log.splitlines() if f" {event}: " in line]


ALL_BUT = {"write": (r"^logrouter\.reports$", "^log$", "^$"), "configure": ("^$", r"^log(router\.reports)?$", "^$")}
"""The rights of a shipper that lacks one on `logrouter.reports`."""


@pytest.mark.parametrize("missing", ALL_BUT)
def test_a_statement_that_is_refused_hinders_no_line(
    logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode, user: User, missing: str
) -> None:
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    common = ("--instance", f"no-{missing}")
    assert logrouter("run", "--drain", "--broker", rabbitmq.url, *common).returncode == 0
    shipper = ("--broker", user(*ALL_BUT[missing]), *common, "--file", f"web={tmp_path}/web.log")
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
