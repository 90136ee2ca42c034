"""`logrouter ship --dry-run` and `--print-config`: no broker, no state, and what is shown is what would be shipped."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from acceptance.conftest import PROGRAM, Command

CARD = "4111111111111111"

NOWHERE = ("--broker", "amqp://127.0.0.1:1", "--host", "h.1")


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def test_every_line_with_its_key_in_order(logrouter: Command, tmp_path: Path) -> None:
    content = b"plain\nERROR \x1b[1m\xe9 \xff\r\n\nINFO tab\there\nWARN last"
    (tmp_path / "a.log").write_bytes(content)
    result = logrouter("ship", "--dry-run", "--file", "app=a.log", *NOWHERE)
    assert result.returncode == 0
    assert result.stdout == lines(
        "app.h_1.info\tplain",
        "app.h_1.error\tERROR \\x1b[1m� �",
        "app.h_1.info\t",
        "app.h_1.info\tINFO tab\there",
        "app.h_1.warning\tWARN last",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_records_as_they_would_travel(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"ERROR {CARD} trace_id=7\nb\n")
    result = logrouter("ship", "--dry-run", "--json", "--file", "app=a.log", "--redact", "card", *NOWHERE)
    error, plain = map(json.loads, result.stdout.splitlines())
    assert (error["message"], error["conversation"]) == ("ERROR [card] trace_id=7", "7")
    assert (error["pos"], error["end"], plain["pos"]) == (0, 34, 34)


def test_messages_are_shown_unpacked(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("ERROR x\n" * 50)
    result = logrouter("ship", "--dry-run", "--compress", "--file", "app=a.log", *NOWHERE)
    assert (result.returncode, result.stdout) == (0, "app.h_1.error\tERROR x\n" * 50)


def test_configured_inputs_with_redaction_fields_and_preset(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f'{{"level":"warn","card":"{CARD}"}}\n')
    (tmp_path / "ship.yaml").write_text(
        "inputs:\n"
        f"  - {{preset: python, service: shop, files: [{tmp_path}/*.log], redact: [card]}}\n"
        f"  - {{syslog: {{unix: {tmp_path}/s.sock}}}}\n"
    )
    result = logrouter("ship", "--dry-run", "--config", "ship.yaml", *NOWHERE)
    assert result.stdout == 'shop.h_1.warning\t{"level":"warn","card":"[card]"}\n'
    assert "a dry run does not listen" in result.stderr
    as_objects = logrouter("ship", "--dry-run", "--json", "--config", "ship.yaml", *NOWHERE)
    assert json.loads(as_objects.stdout)["fields"] == {"level": "warn", "card": "[card]"}
    assert CARD not in as_objects.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "ship.yaml"}


def test_standard_input_is_shown_as_it_comes(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [str(PROGRAM), "ship", "--dry-run", "--stdin", "--service", "app", "--redact", r"pin=(\d+)", *NOWHERE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as program:
        assert program.stdin
        assert program.stdout
        program.stdin.write(b"one pin=123\ntw")
        program.stdin.flush()
        assert program.stdout.readline() == b"app.h_1.info\tone pin=[redacted]\n"
        program.stdin.write(b"o\nthree")
        program.stdin.close()
        assert program.stdout.read() == b"app.h_1.info\ttwo\napp.h_1.info\tthree\n"
    assert program.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_whoever_reads_may_go_at_any_time(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "a.log").write_text("x" * 100 + "\n" * 200_000)
    command = [str(PROGRAM), "ship", "--dry-run", "--file", "app=a.log", *NOWHERE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as program:
        assert program.stdout
        assert program.stderr
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


def test_all_of_a_large_file_and_of_a_line_that_is_cut(logrouter: Command, tmp_path: Path) -> None:
    long = "y" * (3 << 20)
    (tmp_path / "a.log").write_text("".join(f"{number}\n" for number in range(100_000)) + long + "\nend\n")
    shown = logrouter("ship", "--dry-run", "--file", "app=a.log", *NOWHERE).stdout.splitlines()
    assert [line.removeprefix("app.h_1.info\t") for line in shown[:100_000]] == list(map(str, range(100_000)))
    assert [len(line) for line in shown[100_000:]] == [len("app.h_1.info\t") + (1 << 20), len("app.h_1.info\tend")]


def test_what_is_not_there_and_what_cannot_be_read(logrouter: Command, tmp_path: Path) -> None:
    absent = logrouter("ship", "--dry-run", "--file", "app=none.log", *NOWHERE)
    assert (absent.returncode, absent.stdout) == (0, "")
    assert "no file matches" in absent.stderr
    if os.geteuid() != 0:  # root may read everything
        (tmp_path / "a.log").touch(mode=0)
        denied = logrouter("ship", "--dry-run", "--file", "app=a.log", *NOWHERE)
        assert denied.returncode == 1
        assert "a.log" in denied.stderr


def test_what_was_understood(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "ship.yaml").write_text("preset: nginx\nredact: [card]\n")
    first = logrouter("ship", "--print-config", "--config", "ship.yaml", "--file", "a=b.log", *NOWHERE)
    assert first.returncode == 0
    assert f"files: [{tmp_path}/b.log]" in first.stdout
    assert "max_line: 1 MiB" in first.stdout
    (tmp_path / "again.yaml").write_text(first.stdout)
    assert logrouter("ship", "--print-config", "--config", "again.yaml", *NOWHERE).stdout == first.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--redact", "crad", "--file", "a=b"], "did you mean `card`?"),
        (["--redact", "(", "--file", "a=b"], "the pattern is invalid"),
        (["--json", "--file", "a=b"], "--dry-run --json"),
        (["--dry-run", "--stdin"], "--stdin --service NAME"),
        (["--dry-run", "--config", "bad.yaml"], "bad.yaml:1:9: there is no preset `ngnix`\n    did you mean `nginx`?"),
    ],
)
def test_mistakes(logrouter: Command, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "bad.yaml").write_text("preset: ngnix\n")
    result = logrouter("ship", *arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
