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
from parts import part
from rabbitmq_node import RabbitNode

PROGRAM = str(Path(sys.executable).with_name("logrouter"))

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


async def flood(url: str, random: Random, until: float, running: list[subprocess.Popen[bytes]]) -> int:
    """Publish until then, or a process ends; how many."""
    count = 0
    async with aiormq.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        while time.monotonic() < until and not any(each.poll() is not None for each in running):
            exchange, key = random.choice(DOORS)
            odd = properties(random, random.choice(TYPES))
            odd.content_encoding = random.choice(ENCODINGS)
            body = random.choice(BODIES)(random)
            await channel.basic_publish(body, exchange=exchange, routing_key=key, properties=odd)
            count += 1
            if count % 200 == 0:
                while (await channel.queue_declare("logrouter.main", passive=True)).message_count:
                    await asyncio.sleep(0.1)
    return count


def main() -> int:
    """Status 1 if anything went wrong."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    directory = Path(tempfile.mkdtemp(prefix="fuzz-amqp-"))
    (directory / "rules").mkdir()
    (directory / "rules/rules.yaml").write_text(RULES)
    log = directory / "app.log"
    log.touch()
    with RabbitNode(directory / "broker") as node:

        def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
            with (directory / f"{name}.err").open("wb") as said:
                command = [PROGRAM, name, *arguments, "--broker", node.url]
                return subprocess.Popen(command, cwd=directory, stderr=said, stdout=subprocess.DEVNULL)

        running = [
            start("run", "--state", "state", "--rules", "rules"),
            start("ship", "--state", "ship", "--file", f"app={log}"),
            start("tail", "#"),
        ]
        archive = directory / "state/archive/app"
        log.write_text("the first line\n")
        is_well = _until(archive.exists)
        count = asyncio.run(flood(node.url, Random(seed), time.monotonic() + seconds, running))
        with log.open("a") as file:
            file.write("the last line\n")
        last = ["sh", "-c", f"zcat -qf {archive}/*/* | grep -q 'the last line'"]
        is_well &= _until(lambda: subprocess.run(last, stderr=subprocess.DEVNULL, check=False).returncode == 0)
        ends = [each.poll() for each in running]
        for each in running:
            each.terminate()
            each.wait()
        command = [PROGRAM, "audit", "--state", "state", "--rules", "rules", "--broker", node.url]
        audit = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    said = "".join((directory / f"{name}.err").read_text() for name in ("run", "ship", "tail"))
    is_well &= ends == [None] * 3 and audit.returncode != 1 and not ("Traceback" in said or "broker.lost" in said)
    print(f"{count:,} messages: {'well' if is_well else f'BAD, see {directory}'}\n{audit.stdout}")  # noqa: T201  # it is a program
    if is_well:
        shutil.rmtree(directory)
    return 0 if is_well else 1


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


if __name__ == "__main__":
    sys.exit(main())
