"""The installed program, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("logrouter")

Command = Callable[..., subprocess.CompletedProcess[str]]


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
