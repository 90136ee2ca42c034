"""What SIGHUP does: rules that change while the router runs (cases 42 and 56), each record by the old ones or the new;
inputs stay what they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from corpus import read_archive
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command, Start, wait_for

RULES = """\
destinations:
  one: {{type: archive, dir: one}}
  two: {{type: archive, dir: two}}
rules:
  - {{name: all, match: "#", to: {to}}}
default: one
"""


NOWHERE = ("--broker", "amqp://127.0.0.1:1")


class Programs:
    """`up`, or `ship` and `run`, with one log; what the router says is awaited."""

    def __init__(self, directory: Path, environment: dict[str, str], broker: str) -> None:
        self.log = directory / "web.log"
        self.rules = directory / "rules.yaml"
        self._directory = directory
        self._environment = environment
        self._written = 0
        follow = ["--file", "web=web.log"]
        self._commands = (
            [["run", "--rules", "rules.yaml", "--broker", broker], ["ship", *follow, "--broker", broker]]
            if broker
            else [["up", "--rules", "rules.yaml", *follow]]
        )
        self.processes: list[asyncio.subprocess.Process] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The process that routes."""
        for command in self._commands:
            process = await asyncio.create_subprocess_exec(
                PROGRAM,
                *command,
                cwd=self._directory,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            self.processes.append(process)
        try:
            yield self.processes[0]
        finally:
            for process in reversed(self.processes):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.communicate()

    def decide(self, to: str) -> None:
        self.rules.write_text(RULES.format(to=to))

    async def write(self, count: int) -> None:
        """So many lines, a few at a time."""
        for _ in range(count // 50):
            with self.log.open("a") as file:
                file.write("".join(f"line {self._written + number}\n" for number in range(50)))
            self._written += 50
            await asyncio.sleep(0.005)

    async def archived(self, *names: str) -> list[int]:
        """The numbers of the lines in these archives, once all that was written is in one."""
        while True:
            found = [
                int(record.message.split()[1])
                for name in names
                for record in (read_archive(self._directory / name) if (self._directory / name).exists() else [])
            ]
            if len(found) >= self._written:
                return sorted(found)
            await asyncio.sleep(0.05)


async def said(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Wait until it has said that."""
    assert process.stderr is not None  # by `running`
    while line := (await process.stderr.readline()).decode():
        if re.search(pattern, line):
            return line
    raise AssertionError(f"it ended without {pattern!r}")


@pytest.mark.parametrize("engine", ["embedded", pytest.param("amqp", marks=pytest.mark.rabbitmq)])
async def test_each_record_goes_by_the_old_rules_or_the_new(
    request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str], engine: str
) -> None:
    node: RabbitNode | None = request.getfixturevalue("rabbitmq") if engine == "amqp" else None
    programs = Programs(tmp_path, environment, node.url if node else "")
    programs.decide("one")
    async with asyncio.timeout(60), programs.running() as router:
        await programs.write(1000)
        await programs.archived("one")
        for to in ("two", "one", "two"):
            programs.decide(to)
            writing = asyncio.create_task(programs.write(2000))
            await asyncio.sleep(0)
            router.send_signal(signal.SIGHUP)
            if not node:
                await said(router, r"input\.reload_ignored")
            await said(router, r"rules\.reloaded: 1 rules")
            await writing
        found = await programs.archived("one", "two")
        assert found == list(range(7000))
    assert read_archive(tmp_path / "two")


async def test_rules_with_a_mistake_are_refused_and_the_old_ones_stay(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    programs = Programs(tmp_path, environment, "")
    programs.decide("one")
    async with asyncio.timeout(60), programs.running() as router:
        await programs.write(100)
        await programs.archived("one")
        programs.decide("nowhere")
        router.send_signal(signal.SIGHUP)
        await said(router, r"rules\.refused: the new rules are refused \(1 mistake")
        assert "rules.yaml:5" in await said(router, "nowhere")
        (tmp_path / "file").touch()
        programs.rules.write_text(RULES.format(to="two").replace("dir: two", "dir: file/two"))
        router.send_signal(signal.SIGHUP)
        await said(router, r"rules\.refused: .*file/two")
        await programs.write(100)
        assert await programs.archived("one") == list(range(200))


def test_a_shipper_says_that_its_inputs_stay_and_goes_on(
    start: Start, logrouter: Command, tmp_path: Path, rabbitmq: RabbitNode
) -> None:
    options = ("--broker", rabbitmq.url, "--instance", "hung")
    assert logrouter("run", "--drain", *options).returncode == 0
    tail = start("tail", "--broker", rabbitmq.url, "hung.#")
    wait_for(tail, "listening.begun")
    ship = start("ship", "--file", "hung=web.log", *options)
    wait_for(ship, "input.empty")
    for line in ("one", "two"):
        ship.send_signal(signal.SIGHUP)
        wait_for(ship, "input.reload_ignored")
        with (tmp_path / "web.log").open("a") as log:
            log.write(f"{line}\n")
        assert tail.stdout is not None
        assert tail.stdout.readline().endswith(f" {line}\n")
    ship.terminate()
    assert ship.wait(20) == 0


@pytest.mark.parametrize(
    ("command", "event"),
    [(("run", *NOWHERE), "rules.reloaded"), (("ship", *NOWHERE), "input.reload_ignored"), (("up",), "rules.reloaded")],
    ids=["run", "ship", "up"],
)
def test_one_that_comes_while_a_command_starts_is_kept_until_it_has(
    start: Start, command: Sequence[str], event: str
) -> None:
    process = start(*command)
    status = Path(f"/proc/{process.pid}/status")
    while not takes(status.read_text(), "SigBlk"):
        assert not takes(status.read_text(), "SigCgt"), "it is ready, and would have ended before"
        time.sleep(0.001)
    process.send_signal(signal.SIGHUP)
    wait_for(process, event)
    process.terminate()
    assert process.wait(20) == 0


def takes(status: str, signals: str) -> bool:
    """Whether SIGHUP is among these signals of a process."""
    found = re.search(rf"{signals}:\s*([0-9a-f]+)", status)
    return found is not None and bool(int(found[1], 16) & 1 << signal.SIGHUP - 1)


@pytest.mark.parametrize("command", [("ship", *NOWHERE), ("up",)], ids=["ship", "up"])
def test_the_hangup_of_a_terminal_ends_it(start: Start, command: Sequence[str]) -> None:
    ours, terminal = pty.openpty()
    try:
        process = start(*command, "--file", "web=web.log", stdin=terminal)
        wait_for(process, "input.empty")
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    finally:
        os.close(ours)
        os.close(terminal)
