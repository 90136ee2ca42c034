"""A state directory that was copied or set back: what its shipper then reads is no repeat of what was read before."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pika
import pytest
from corpus import read_archive
from rabbitmq_node import RabbitNode

from acceptance.conftest import Command, Start


class Host:
    """A host with one log, and the centre, which routes for as long as a test lasts."""

    def __init__(self, directory: Path, logrouter: Command, url: str, instance: str) -> None:
        self.directory = directory
        self.log = directory / "app.log"
        self.state = directory / "host"
        self._logrouter = logrouter
        self.options = ("--broker", url, "--instance", instance)

    def ship(self) -> None:
        shipped = self._logrouter("ship", *self.options, "--state", self.state, "--file", f"app={self.log}", "--drain")
        assert shipped.returncode == 0, shipped.stderr

    def drain(self) -> None:
        drained = self._logrouter("run", *self.options, "--drain")
        assert drained.returncode == 0, drained.stderr
        self.said = drained.stderr

    def purge(self, node: RabbitNode, *queues: str) -> None:
        """Have the broker lose what is in queues of the instance."""
        with pika.BlockingConnection(pika.URLParameters(node.url)) as connection:
            for queue in queues:
                connection.channel().queue_purge(f"logrouter.{self.options[-1]}{queue}")

    def archived(self) -> list[str]:
        return [record.message for record in read_archive(self.directory / "state/archive/app")]

    def session(self) -> bytes:
        """What is saved of the session that is on."""
        saved = self.state / "shipper/session.json"
        return saved.read_bytes() if saved.exists() else b""

    def audit(self) -> tuple[int, dict[str, object]]:
        audited = self._logrouter("audit", *self.options, "--json")
        return audited.returncode, json.loads(audited.stdout)


@pytest.fixture
def host(tmp_path: Path, logrouter: Command, rabbitmq: RabbitNode, fresh: Callable[[str], str]) -> Host:
    made = Host(tmp_path, logrouter, rabbitmq.url, fresh("fork").replace(".", "-"))
    made.drain()  # a router has been here
    return made


def lines(name: str, count: int = 1000) -> list[str]:
    return [f"{name} {number:06}" for number in range(count)]


def write(path: Path, texts: list[str], mode: str = "a") -> None:
    with path.open(mode) as file:
        file.writelines(f"{text}\n" for text in texts)


def test_a_state_that_was_set_back(host: Host) -> None:
    write(host.log, lines("before"))
    host.ship()
    shutil.copytree(host.state, host.directory / "snapshot")
    write(host.log, lines("lost??"))
    host.ship()
    host.drain()
    shutil.rmtree(host.state)
    shutil.copytree(host.directory / "snapshot", host.state)
    write(host.log, lines("before") + lines("after!"), "w")
    host.ship()
    host.drain()
    assert "state.forked" in host.said
    assert sorted(host.archived()) == sorted(lines("before") + lines("lost??") + lines("after!"))
    status, report = host.audit()
    assert (status, len(report["forks"])) == (0, 1)  # type: ignore[arg-type]  # a list


def test_what_was_lost_before_the_state_was_set_back_comes_again(
    host: Host, start: Start, rabbitmq: RabbitNode
) -> None:
    """Nobody but the life that was set back knows of it: the other one's statements are lost as well."""
    write(host.log, lines("known!"))
    host.ship()
    host.drain()
    write(host.log, lines("lost??"))
    host.ship()
    shutil.copytree(host.state, host.directory / "snapshot")
    host.purge(rabbitmq, "", ".reports")
    host.log.rename(host.log.with_name("app.log.1"))
    write(host.log, lines("other!"))
    host.ship()
    host.purge(rabbitmq, ".reports")
    host.drain()
    shutil.rmtree(host.state)
    shutil.copytree(host.directory / "snapshot", host.state)
    write(host.log, lines("after!"), "w")
    ship = start("ship", *host.options, "--state", host.state, "--file", f"app={host.log}")
    run = start("run", *host.options)
    every = [line for name in ("known!", "lost??", "other!", "after!") for line in lines(name)]
    while sorted(host.archived()) != sorted(every):
        assert ship.poll() is run.poll() is None
        time.sleep(0.05)
    for process in (ship, run):
        process.terminate()
        process.communicate()
    host.drain()
    assert sorted(host.archived()) == sorted(every)
    assert host.audit()[0] == 0


def test_two_hosts_from_one_image(host: Host) -> None:
    write(host.log, lines("before"))
    host.ship()
    shutil.copytree(host.state, host.directory / "clone")
    write(host.log, lines("before") + lines("one"), "w")
    host.ship()
    write(host.log, lines("before") + lines("two"), "w")
    host.state = host.directory / "clone"
    host.ship()
    host.drain()
    assert sorted(host.archived()) == sorted(lines("before") + lines("one") + lines("two"))
    assert host.audit()[0] == 0


def test_kills_are_no_forks(host: Host, start: Start) -> None:
    write(host.log, lines("0", 20_000))
    for number in range(1, 6):
        before = host.session()
        ship = start("ship", *host.options, "--state", host.state, "--file", f"app={host.log}")
        write(host.log, lines(str(number), 20_000))
        while host.session() == before:
            time.sleep(0.005)
        ship.kill()
        ship.communicate()
    host.ship()
    host.drain()
    assert "state.forked" not in host.said
    assert host.archived() == [text for number in range(6) for text in lines(str(number), 20_000)]
    status, report = host.audit()
    assert (status, report["forks"]) == (0, [])
