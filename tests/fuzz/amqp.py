"""A long run of messages that nobody would send, at every door of a router, a listener and a shipper on RabbitMQ.

    PYTHONPATH=tests python tests/fuzz/amqp.py SECONDS [SEED]

None of the processes may end or lose the broker, the last line is to be archived, and the audit finds nothing wrong.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import aiormq
import zstandard
from amqp_tables import properties
from benchmarks.processes import Running, logrouter
from corpus import read_archive
from parts import part
from rabbitmq_node import RabbitNode

RULES = """\
destinations:
  archive: {type: archive}
  mail: {type: email, to: ops@example.org, server: "file:", group_wait: 1s}
rules:
  - {name: errors, match: "#", severity: error, to: mail, continue: true}
default: archive
"""

TYPES = [
    *("logrouter.batch/1", "logrouter.batch/9", "logrouter.statement/1", "logrouter.request/1", "logrouter.gathered/1"),
    *("logrouter.notification/1", "logrouter.barrier/1", "amqp-1.0", "", "x"),
]

ENCODINGS = ["", "", "zstd", "gzip", "utf-8", "utf-16", "gzip:latin-1", "\x00"]

DOORS = [
    *[("log", "app.h1.error"), ("log", "#"), ("log", ".."), ("log", "a." * 120), ("log", "é\x1b]0;x\x07.h.info")],
    *[("logrouter.reports", "shipper.h1"), ("logrouter.reports", "router.main"), ("logrouter.requests", "all")],
    *[("", "logrouter.main"), ("", "logrouter.main.mail"), ("", "logrouter.main.mail.outbox")],
]

BODIES: list[Callable[[Random], bytes]] = [
    lambda random: random.randbytes(random.randrange(300)),
    lambda random: b"[" * random.choice([10, 5000, 100_000]),
    lambda _: b'{"a":' * 5000,
    lambda random: zstandard.compress(bytes(random.choice([10, 64 << 20]))),
    lambda random: gzip.compress(bytes(random.choice([10, 20 << 20]))),
    lambda random: b"ERROR =?utf-8?q?=E2=80=A8=85?= " + random.randbytes(20),
    lambda random: (
        b'{"ts":"2026-01-01T00:00:00Z","message":null,"source":"s","pos":0,"end":%d}\n' % random.randrange(99)
    ),
    lambda random: part(0, random.choice([1, 5])).body,
    lambda random: b"ERROR " + b"y" * random.choice([10, 100_000]),
]

WAIT_SECONDS = 60


async def flood(url: str, random: Random, until: float) -> int:
    """Publish until then; how many."""
    count = 0
    async with aiormq.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        while time.monotonic() < until:
            exchange, key = random.choice(DOORS)
            odd = properties(random, random.choice(TYPES))
            odd.content_encoding = random.choice(ENCODINGS)
            body = random.choice(BODIES)(random)
            await channel.basic_publish(body, exchange=exchange, routing_key=key, properties=odd)
            count += 1
            if count % 200 == 0:
                async with asyncio.timeout(WAIT_SECONDS):
                    while (await channel.queue_declare("logrouter.main", passive=True)).message_count:
                        await asyncio.sleep(0.1)
    return count


def main() -> None:
    """Raises RuntimeError where a process ends or says what it must not; what was written is kept then."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    directory = Path(tempfile.mkdtemp(prefix="fuzz-amqp-"))
    (directory / "rules").mkdir()
    (directory / "rules/rules.yaml").write_text(RULES)
    log, state = directory / "app.log", directory / "state"
    with RabbitNode(directory / "broker") as node:
        options = ("--broker", node.url)
        routing = ("--state", state, "--rules", directory / "rules")
        running = [
            Running(logrouter("run", *options, *routing), directory / "run"),
            Running(
                logrouter("ship", *options, "--state", directory / "ship", "--file", f"app={log}"), directory / "s"
            ),
            Running(logrouter("tail", "#", *options), directory / "tail"),
        ]
        log.write_text("the first line\n")
        running[0].until(lambda: _has(state / "archive", "the first line"))
        count = asyncio.run(flood(node.url, Random(seed), time.monotonic() + seconds))
        with log.open("a") as file:
            file.write("the last line\n")
        running[0].until(lambda: _has(state / "archive", "the last line"))
        said = "".join(each.said for each in running)
        for each in running:
            each.end()
        audit = subprocess.run(logrouter("audit", *options, *routing), capture_output=True, text=True, check=False)
    if audit.returncode == 1 or "Traceback" in said or "broker.lost" in said:
        raise RuntimeError(f"see {directory}:\n{audit.stdout}{audit.stderr}")
    shutil.rmtree(directory)
    print(f"{count:,} messages\n{audit.stdout}")  # noqa: T201  # it is a program


def _has(archive: Path, line: str) -> bool:
    return any(record.message == line for record in read_archive(archive / "app")) if archive.exists() else False


if __name__ == "__main__":
    main()
