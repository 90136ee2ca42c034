"""Error mail as a user meets it: a rule that mails, a server or a directory, and what goes wrong said at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from corpus import read_archive
from mail_server import MailServer
from mail_text import read

from acceptance.conftest import Command

LOG = "INFO all is well\nERROR disk is full\nERROR disk is full\nWARN careful\n"
RULES = """\
destinations:
  archive: {{type: archive}}
  mail: {{type: email, to: [ops@example.org], from: log@example.org, {server}}}
rules:
  - {{name: errors, match: "app.#", severity: error, to: mail, continue: true}}
"""


def arguments(directory: Path, server: str) -> Sequence[str]:
    """What `up` is to be told to route a log by a rule that mails."""
    (directory / "app.log").write_text(LOG)
    (directory / "rules.yaml").write_text(RULES.format(server=server))
    return ("up", "--drain", "--rules", "rules.yaml", "--file", "app=app.log", "--host", "h1.example.org")


async def test_an_error_is_mailed(logrouter: Command, tmp_path: Path) -> None:
    async with MailServer().running() as server:
        command = arguments(tmp_path, f"server: 'smtp://127.0.0.1:{server.port}', group_wait: 1h")
        result = await asyncio.to_thread(logrouter, *command)
        assert result.returncode == 0, result.stderr
        again = await asyncio.to_thread(logrouter, *command)
        assert again.returncode == 0, again.stderr
        (mail,) = server.mails
    assert mail.message["Subject"] == "error app@h1.example.org: ERROR disk is full (+1 more)"
    assert "2 times" in mail.text
    assert len(read_archive(tmp_path / "state/archive")) == 4


def test_a_mail_is_a_private_file_where_no_server_is_named(logrouter: Command, tmp_path: Path) -> None:
    result = logrouter(*arguments(tmp_path, "server: 'file:'"))
    assert result.returncode == 0, result.stderr
    (path,) = (tmp_path / "state/mail").iterdir()
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    message = BytesParser(policy=default).parsebytes(path.read_bytes())
    assert message["Subject"] == "error app@h1.example.org: ERROR disk is full (+1 more)"


@pytest.mark.parametrize(
    "line", ["ERROR =?utf-8?q?=E2=80=A8=85?=", "ERROR x =?utf-8?q?=0d=0aBcc:_v@example.org?= =?utf-8?b?4oCo?="]
)
def test_a_line_that_looks_like_an_encoded_word_stays_that_line(logrouter: Command, tmp_path: Path, line: str) -> None:
    (tmp_path / "app.log").write_text(f"{line}\n")
    result = logrouter("up", "--drain", "--file", "app=app.log", "--host", "=?utf-8?q?=0a?=\udcff")
    assert result.returncode == 0, result.stderr
    (path,) = (tmp_path / "state/mail").iterdir()
    mail = read(path.read_bytes())
    assert mail.subject == f"error app@=?utf-8?q?=0a?=\\udcff: {line}"
    assert list(mail.headers)[:4] == ["From", "To", "Subject", "Date"]
    assert "Bcc" not in mail.headers


async def test_a_drain_that_cannot_mail_says_what_is_left(logrouter: Command, tmp_path: Path) -> None:
    server = MailServer()
    async with server.running():
        pass
    command = arguments(tmp_path, f"server: 'smtp://127.0.0.1:{server.port}'")
    result = await asyncio.to_thread(logrouter, *command, "--drain-timeout", "3")
    assert result.returncode == 1, result.stderr
    assert "not drained: 1 messages for mail" in result.stderr
    assert len(read_archive(tmp_path / "state/archive")) == 4
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("server: 'smtp://me:s3cret@h'", "rules.yaml:3:77: the address contains a password"),
        ("server: 'smtp://me@h', password_file: /absent/p", "cannot read /absent/p"),
        ("server: 'smtp://me@h', password_env: ABSENT_HERE", "the environment variable ABSENT_HERE is not set"),
        ("server: 'smtp://me@h', password: s3cret", "rules.yaml:3:92: `password` is not a valid key here"),
        ("server: 'file:', templates: {directory}/own", "rules.yaml:3:3: destination `mail`: "),
    ],
)
def test_mistakes_end_it_before_it_starts(logrouter: Command, tmp_path: Path, server: str, says: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/text.txt").write_text("{{ mail.totl }}")
    command = arguments(tmp_path, server.format(directory=tmp_path))
    result = logrouter(*command)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    if "rules.yaml:" in says:
        checked = logrouter("check", "rules.yaml")
        assert checked.returncode == 2
        assert says in checked.stderr
    for said in (result.stdout, result.stderr):
        assert "s3cret" not in said
