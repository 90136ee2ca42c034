"""What a person sees of `up`: on a terminal, in a log, on a quiet machine, and in the demo."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from acceptance.conftest import PROGRAM, Command
from acceptance.terminal import CONTROL, Open


def test_a_terminal_shows_a_live_summary_below_what_is_logged(terminal: Open, tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("INFO one\nDEBUG two\n")
    up = terminal("up", "--file", "web=web.log", "--file", "mail=mail.log", "--host", "w1")
    up.wait_for(r"lines in  2 · ")
    up.wait_for(r"from      web 2\s")
    up.wait_for(r"to        archive 1 · discard 1\s")
    up.wait_for(r"pending   nothing pending")
    assert f"logrouter tail --state {tmp_path}/state '#'" in up.seen
    with log.open("a") as file:
        file.write("ERROR three\n")
    up.wait_for(r"lines in  3 · ")
    (tmp_path / "mail.log").write_text("mail\n")
    up.wait_for(r"input.matched: a file now matches")
    up.wait_for(r"from      web 3 · mail 1")
    above = r"\x1b\[2K(\x1b\[[\d;]*m)*\d\d:\d\d:\d\d INFO    input.matched: a file now matches"
    assert re.search(above, up.raw), "on a line that was cleared, not behind what was drawn"
    assert up.interrupt() == 0
    assert "\x1b[?25h" in up.raw[up.raw.rindex("lines in") :], "the cursor is there again"
    assert "router.absent" not in up.seen
    assert "up.summary" not in up.seen


def test_a_narrow_terminal_without_colours(terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("WARN " + "x" * 100 + "\n")
    up = terminal("up", "--file", "web=web.log", columns=40, NO_COLOR="1")
    up.wait_for(r"to        archive 1\s")
    assert up.interrupt() == 0
    drawn = re.split(r"[\r\n]|\x1b\[\d*[A-K]", up.raw[up.raw.index("── logrouter up") :])
    assert max(len(CONTROL.sub("", line)) for line in drawn) == 40
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d)[\d;]*m", up.raw)


def test_a_dumb_terminal_gets_plain_lines(terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("one\n")
    up = terminal("up", "--file", "web=web.log", TERM="dumb")
    up.wait_for(r"input.following: following 1 file of 1 service: web 1")
    assert up.interrupt() == 0
    assert "\x1b" not in up.raw
    assert up.seen.count("up.summary") == 1


def test_a_log_gets_plain_lines_and_a_closing_one(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "web.log").write_text("INFO one\nDEBUG two\n")
    process = subprocess.Popen(
        [
            PROGRAM,
            "up",
            "--file",
            "web=web.log",
            *(part for name in "abcdefghi" for part in ("--file", f"x={name}.log")),
        ],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if "up.summary" in line:
            break
    process.send_signal(signal.SIGTERM)
    said += process.stderr
    assert process.wait(20) == 0
    process.stderr.close()
    summaries = [line for line in said if "up.summary" in line]
    assert len(summaries) == 2
    assert re.search(r"2 lines in \d+ s \(web 2\); to archive 1, discard 1; 0(\.\d)?/s; nothing pending$", summaries[0])
    assert f"archives are under {tmp_path}/state/archive" in summaries[1]
    assert next(line for line in said if "no file matches" in line).rstrip().endswith("(9 patterns) yet")
    assert "input.quiet" not in "".join(said)
    assert "\x1b" not in "".join(said)


def test_drained_it_closes_with_totals(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("INFO one\nDEBUG two\n")
    drained = logrouter("up", "--drain", "--file", "web=web.log")
    assert drained.stderr.count("up.summary") == 1
    assert drained.stderr.rstrip().endswith(
        f"(web 2); to archive 1, discard 1; archives are under {tmp_path}/state/archive"
    )


def test_a_quiet_machine_is_told_what_was_looked_for(terminal: Open, tmp_path: Path) -> None:
    up = terminal("up", "--file", "web=web.log", columns=200)
    up.wait_for(rf"input.quiet: nothing has arrived in 10 s; looked for {tmp_path}/web.log. .*`make demo`")
    assert up.interrupt() == 0
    assert up.seen.count("input.quiet") == 1


def test_the_demo_runs_apart_from_everything(terminal: Open, logrouter: Command, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rules.yaml").write_text("destinations: {out: {type: archive, dir: /nowhere}}\ndefault: out\n")
    demo = terminal("up", "--demo", LOGROUTER_BROKER="amqp://127.0.0.1:1", LOGROUTER_CONFIG=str(elsewhere), columns=200)
    state = demo.wait_for(r"tail --state (\S+) --severity error '#'")[1]
    assert state == str(tmp_path / "state/demo")
    demo.wait_for(r"following 8 files of 7 services")
    demo.wait_for(r"lines in  [1-9]\d\d")
    tail = subprocess.Popen(
        [PROGRAM, "tail", "--state", state, "#"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert tail.stdout is not None
    assert "@" in tail.stdout.readline()
    tail.terminate()
    assert tail.wait(20) == 0
    tail.stdout.close()
    assert demo.interrupt() == 0
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"demo", "demo-logs"}
    archived = logrouter("cat", "--state", state).stdout.splitlines()
    assert len(archived) >= 100
    assert set(archived) <= {
        line for path in (tmp_path / "state/demo-logs").rglob("*.*") for line in path.read_text().splitlines()
    }


def test_a_drained_demo_is_a_minute_of_logs(logrouter: Command, tmp_path: Path) -> None:
    drained = logrouter("up", "--demo", "--drain")
    assert drained.returncode == 0, drained.stderr
    written = [path.read_text().count("\n") for path in (tmp_path / "state/demo-logs").rglob("*.*")]
    assert f"{sum(written):,} lines in" in drained.stderr


@pytest.mark.parametrize("option", [("--file", "web=a.log"), ("--broker", "amqp://localhost"), ("--config", ".")])
def test_the_demo_takes_no_other_logs_and_no_broker(logrouter: Command, option: tuple[str, str]) -> None:
    refused = logrouter("up", "--demo", *option)
    assert refused.returncode == 2
    assert f"{option[0]} cannot be used with --demo" in refused.stderr
