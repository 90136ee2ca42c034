"""What a process loads: no library that this very one has no use for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import atexit, sys
atexit.register(lambda: print("", *sys.modules))
from logrouter.cli import main
main()
"""

_MAIL = "destinations: {mail: {type: email, to: a@b.example, server: 'file:', templates: TEMPLATES}}\nrules: []\n"


def loaded(directory: Path, *arguments: str) -> set[str]:
    """The libraries that were loaded when the command ended."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    printed = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False).stdout
    modules = printed.splitlines()[-1].split()
    assert "logrouter.cli" in modules
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("option", ["--dry-run", "--drain"])
def test_ship_of_files_that_are_named_loads_neither_models_nor_yaml(tmp_path: Path, option: str) -> None:
    (tmp_path / "app.log").write_text("one\n")
    unreachable = ("--broker", "amqp://127.0.0.1:1", "--drain-timeout", "0", "--state", "state")
    libraries = loaded(tmp_path, "ship", option, "--file", "app=app.log", *unreachable)
    assert not libraries & {"pydantic", "yaml", "jinja2", "aiosmtplib", "rich", "sqlite3"}
    assert ("aio_pika" in libraries) == (option == "--drain")


def test_rules_without_mail_load_neither_templates_nor_smtp(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("destinations: {archive: {type: archive}}\nrules: []\ndefault: archive\n")
    assert not loaded(tmp_path, "check", "rules.yaml") & {"jinja2", "aiosmtplib"}


def test_rules_with_mail_load_them(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(_MAIL.replace("TEMPLATES", str(tmp_path)))
    assert loaded(tmp_path, "check", "rules.yaml") >= {"jinja2", "aiosmtplib"}


def test_a_worker_loads_no_event_loop() -> None:
    code = "import sys, shippers.worker; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not set(printed.split()) & {"asyncio", "ssl", "yaml", "pydantic", "click"}
