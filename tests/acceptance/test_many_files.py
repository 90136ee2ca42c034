"""A shipper with far fewer descriptors than files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from corpus import assert_archived_once
from rabbitmq_node import RabbitNode

from acceptance.conftest import PROGRAM, Command


def test_200_files_under_64_descriptors(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], rabbitmq: RabbitNode
) -> None:
    files = [tmp_path / f"logs/{number}.log" for number in range(200)]
    files[0].parent.mkdir()
    for number, path in enumerate(files):
        path.write_text("".join(f"INFO line {line} of {number}\n" for line in range(100)))
    options = ("--drain", "--broker", rabbitmq.url, "--instance", "crowded")
    assert logrouter("run", *options).returncode == 0
    ship = [str(PROGRAM), "ship", "--file", f"app={tmp_path}/logs/*.log", *options]
    limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *ship]
    shipped = subprocess.run(limited, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert shipped.returncode == 0, shipped.stderr
    assert shipped.stderr.count("input.file_limit_reached: 200 files are followed and ") == 1
    assert "LimitNOFILE=" in shipped.stderr
    assert "open files" not in shipped.stderr
    assert logrouter("run", *options).returncode == 0
    assert_archived_once(tmp_path / "state/archive", files)
