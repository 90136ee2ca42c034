"""What a campaign runs in: disks, broker, links, a mail server, rules and processes, all of its own.

In comes a Plan, out go the things that can be broken, not yet started, and the logs to write. All is gone afterwards
but for what was written in the plan's directory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from mail_server import MailServer
from ports import free_port
from rabbitmq_node import RabbitNode

from faults import writers
from faults.breaking import Breaking
from faults.disks import Disk
from faults.processes import Process
from faults.proxy import Link
from faults.schedule import EMBEDDED, LOSING

PROMISED = ("web", "mail")
"""The services of which every line must arrive."""

CUT = "cut"
"""The service whose log is rotated by copy and truncate: what its window swallows is counted, not promised."""

WIRE = "wire"
"""The service whose lines come over a connection: what was under way when that broke is counted, not promised."""

_RULES = """\
destinations:
  archive: {{type: archive, dir: {archive}/first, rotate: 256KiB}}
  second: {{type: archive, dir: {archive}/second, rotate: 256KiB}}
  mail:
    {{type: email, to: ops@example.org, from: log@example.org, server: "smtp://127.0.0.1:{port}", group_wait: 1s,
     max_per_hour: 100000, timeout: 2s}}
rules:
  - {{name: errors, match: "#", severity: error, to: mail, continue: true}}
  - {{name: noise, match: "*.*.debug", to: discard}}
  - {{name: moved, match: "web.#", to: {moved}}}
default: archive
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """mode: one of the schedule's.   directory: of this run alone.   rate: lines a second of each of `files` logs.

    is_long: whether faults that last beyond the heartbeat are among them.   quiet: seconds without a line archived
    after which what is missing counts as lost; the router holds a gap for a minute.
    """

    mode: str
    seed: int
    seconds: float
    directory: Path
    rate: int = 400
    files: int = 4
    is_long: bool = False
    quiet: float = 90.0


@contextlib.asynccontextmanager
async def surroundings(plan: Plan) -> AsyncIterator[tuple[Breaking, list[writers.Log]]]:
    """Disks, broker, links, mail server, rules and processes; all gone afterwards but for what was written."""
    directory = plan.directory
    async with contextlib.AsyncExitStack() as stack:
        for name in ("logs", "journal", "rules"):
            (directory / name).mkdir(parents=True)
        disks = {name: Disk(directory / name) for name in ("archive", "state")}
        for disk in disks.values():
            stack.callback(disk.remove)
        mail = await stack.enter_async_context(MailServer().running())
        node, links = None, {}
        if plan.mode != EMBEDDED:
            node = RabbitNode(directory / "broker")
            stack.callback(node.kill)
            await asyncio.to_thread(node.start)
            for name in ("ship", "run"):
                links[f"link of {name}"] = await stack.enter_async_context(Link(node.port).running())

        def write_rules(moved: str) -> None:
            rules = _RULES.format(archive=directory / "archive", port=mail.port, moved=moved)
            (directory / "rules" / "rules.yaml").write_text(rules)

        write_rules("archive")
        port = free_port()
        listen = f'{{service: {WIRE}, syslog: {{tcp: "127.0.0.1:{port}"}}}}\n'
        (directory / "shippers.yaml").write_text(listen)
        breaking = Breaking(
            processes={process.name: process for process in _processes(plan, node, links)},
            links=links,
            disks=disks,
            mail=mail,
            node=node,
            positions=directory / "state" / "shipper" / "positions.json",
            write_rules=write_rules,
        )
        # What was confirmed of connections and truncated files cannot be read again, so it is no part of LOSING.
        yield breaking, _logs(plan)[:-1] if plan.mode == LOSING else [*_logs(plan), _connection(plan, port)]


def _processes(plan: Plan, node: RabbitNode | None, links: dict[str, Link]) -> list[Process]:
    state, rules = ("--state", plan.directory / "state"), ("--rules", plan.directory / "rules")
    files = [
        each for service in (*PROMISED, CUT) for each in ("--file", f"{service}={plan.directory}/logs/{service}/*.log")
    ]
    inputs = (*files, "--config", plan.directory / "shippers.yaml")
    if node is None:
        return [Process("up", ["up", *state, *rules, *inputs, "--host", "h1"], plan.directory)]

    def broker(name: str) -> tuple[str, str]:
        return "--broker", node.url.replace(str(node.port), str(links[f"link of {name}"].port))

    how = ["--host", "h1", "--workers", "1", *["--compress"] * (plan.seed % 2)]
    listener = [Process("tail", ["tail", "#", "--broker", node.url], plan.directory)] if plan.mode == LOSING else []
    return [
        *listener,
        Process("ship", ["ship", *state, *broker("ship"), *inputs, *how], plan.directory),
        Process("run", ["run", *state, *broker("run"), *rules], plan.directory),
    ]


def _logs(plan: Plan) -> list[writers.Log]:
    """So many logs of two services, and one that is rotated by copy and truncate."""
    logs = []
    for number in range(plan.files + 1):
        service = CUT if number == plan.files else PROMISED[number % 2]
        directory = plan.directory / "logs" / service
        directory.mkdir(exist_ok=True)
        logs.append(
            writers.Log(
                name=f"{service}{number}",
                path=str(directory / f"{service}{number}.log"),
                journal=str(plan.directory / "journal"),
                seed=plan.seed * 100 + number,
                rate=plan.rate,
                rotation=writers.COPY_TRUNCATE if service == CUT else writers.RENAME,
                every=0.0 if number == 0 else 4.0,
            )
        )
    return logs


def _connection(plan: Plan, port: int) -> writers.Log:
    """A log that is sent as syslog."""
    return writers.Log(
        name=f"{WIRE}{plan.files + 1}",
        path=f"127.0.0.1:{port}",
        journal=str(plan.directory / "journal"),
        seed=plan.seed * 100 + plan.files + 1,
        rate=plan.rate,
        rotation=writers.CONNECTION,
        every=0.0,
    )
