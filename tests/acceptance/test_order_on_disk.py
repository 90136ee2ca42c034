"""What no kill can show, a log of system calls does: each step is durable before the next one begins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from needs import lacks, needs
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command

CALLS = "openat,pwrite64,write,fdatasync,fsync,rename,renameat,linkat,ftruncate"
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")

ACK = r"\0<\0P"
"""Class 60, method 80 in a frame: basic.ack."""

CONSUME = r"\0<\0\24"
"""Class 60, method 20: basic.consume."""


def calls(log: Path) -> list[str]:
    """Each call as `name arguments`, in the order in which they ended."""
    begun: dict[str, str] = {}
    ended = []
    for line in log.read_text().splitlines():
        if (found := _LINE.match(line)) is None:
            continue
        process, resumed, name, rest = found.groups()
        if resumed:
            ended.append(f"{begun.pop(process)} {rest}")
        elif rest.endswith("<unfinished ...>"):
            begun[process] = f"{name} {rest}"
        else:
            ended.append(f"{name} {rest}")
    return ended


def first(done: list[str], pattern: str, after: int) -> int:
    """Where the first call after that one matches."""
    wanted = re.compile(pattern)
    return next(index for index in range(after + 1, len(done)) if wanted.search(done[index]))


def consuming_socket(done: list[str], queue: str) -> str:
    """The connection on which a queue is consumed."""
    wanted = re.compile(rf"^write \d+<(socket:\[\d+\])>.*{re.escape(CONSUME)}.*{re.escape(queue)}[^.]")
    return next(found[1] for call in done if (found := wanted.search(call)))


def test_a_record_is_durable_step_by_step_before_it_is_acknowledged(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], rabbitmq: RabbitNode
) -> None:
    needs("strace")
    (tmp_path / "web.log").write_text("INFO one\nINFO two\n")
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "traced")
    assert logrouter("run", *options).returncode == 0
    assert logrouter("ship", "--file", f"web={tmp_path}/web.log", *options).returncode == 0
    log = tmp_path / "strace"
    trace = ["strace", "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-o", str(log), str(PROGRAM), "run", *options]
    result = subprocess.run(trace, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    if "ptrace" in result.stderr and "not permitted" in result.stderr:
        lacks("strace is not permitted here")
    assert result.returncode == 0, result.stderr
    done = calls(log)
    ingress = consuming_socket(done, "logrouter.traced")
    acknowledged = rf"^write \d+<{re.escape(ingress)}>.*{re.escape(ACK)}"
    at = -1
    for step in (
        r"^pwrite64 .*/archive/web/.*\+open\.jsonl\.gz>",
        r"^fdatasync .*/archive/web/.*\+open\.jsonl\.gz>.* = 0",
        r"^fsync .*/archive/web/[^/]+>.* = 0",
        r"^pwrite64 .*/traced\.ledger-wal>",
        r"^fdatasync .*/traced\.ledger-wal>.* = 0",
        acknowledged,
    ):
        at = first(done, step, at)
    assert first(done, acknowledged, -1) == at, "something was acknowledged before"
