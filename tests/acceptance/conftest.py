"""The installed program, as a user runs it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acceptance.terminal import Open, Terminal

PROGRAM = Path(sys.executable).with_name("logrouter")

Command = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user's environment with nothing of ours in it, at home in the test's directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGROUTER_")}
    return kept | {"HOME": str(tmp_path), "LOGROUTER_STATE": str(tmp_path / "state")}


@pytest.fixture
def logrouter(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Run `logrouter ARGUMENTS...` in the test's directory and return what became of it; `typed` is its input."""

    def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAM), *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `logrouter ARGUMENTS...` in the background, its input from `stdin`; ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(PROGRAM), *map(str, arguments)],
            cwd=tmp_path,
            env=environment | {"PYTHONUNBUFFERED": "1"},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Open]:
    """Start `logrouter ARGUMENTS...` on a terminal of so many columns; ended with the test."""
    opened: list[Terminal] = []

    def start(*arguments: object, columns: int = 80, **variables: str) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        # Unbuffered, Python loses what is left of a text when a signal interrupts its writing.
        unwanted = {"COLUMNS", "LINES", "NO_COLOR", "PYTHONUNBUFFERED"}
        sized = {name: value for name, value in environment.items() if name not in unwanted}
        process = subprocess.Popen(
            [str(PROGRAM), *map(str, arguments)],
            cwd=tmp_path,
            env=sized | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | variables,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        opened.append(Terminal(process, master))
        return opened[-1]

    yield start
    for each in opened:
        each.process.kill()
        each.process.wait(20)
        os.close(each.master)


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read the process's log until it says so; what it has said since the last time."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended without saying {text!r}")
