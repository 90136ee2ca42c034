"""The systemd journal into `logrouter up`: each entry once in the archive and in order, whatever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from corpus import read_archive
from fake_journal import FakeJournal
from needs import needs

from acceptance.conftest import PROGRAM, Command
from logrouter.wire.record import rfc3339

_REMOTE = "/lib/systemd/systemd-journal-remote"

_FAULTS = [
    *("spool.named.before:1", "spool.write.before:1", "spool.sync.before:1", "spool.sync.before:2"),
    *("spool.sync.after:1", "spool.sync.after:2", "spool.delete.before:1", "spool.delete.after:1"),
    *(f"state.{point}:{number}" for number in (1, 2, 3) for point in ("sync.before", "rename.before", "saved")),
    *("archive.write.after:1", "ledger.*:2"),
]


@pytest.fixture
def journal(tmp_path: Path, environment: dict[str, str]) -> FakeJournal:
    journal = FakeJournal(tmp_path / "journal")
    environment["PATH"] = journal.path
    what = {"directory": str(journal.directory), "first_read": "all"}
    (tmp_path / "in.yaml").write_text(json.dumps({"journal": what}))
    return journal


def messages(tmp_path: Path) -> list[str]:
    return [record.message for record in read_archive(tmp_path / "state/archive")]


def test_no_gap_and_no_repeat_after_a_kill_at_each_point(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], journal: FakeJournal
) -> None:
    for fault in _FAULTS:
        process = subprocess.Popen(
            [PROGRAM, "up", "--config", "in.yaml"],
            cwd=tmp_path,
            env=environment | {"LOGROUTER_FAULT": fault},
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            journal.write(20)
            time.sleep(0.05)
        assert process.returncode == -signal.SIGKILL
        _tear(tmp_path / "state/shipper/spool")
    result = logrouter("up", "--config", "in.yaml", "--drain")
    assert result.returncode == 0, result.stderr
    assert messages(tmp_path) == journal.written
    assert list((tmp_path / "state/shipper/spool").rglob("*.spool")) == []


@pytest.mark.parametrize("deleted", ["spool.delete.before:1", "spool.delete.after:1"])
def test_the_last_segment_is_not_deleted_before_its_cursor_is_safe(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], journal: FakeJournal, deleted: str
) -> None:
    journal.write(20)
    for fault in ("spool.sync.after:1", deleted):
        environment["LOGROUTER_FAULT"] = fault
        assert logrouter("up", "--config", "in.yaml").returncode == -signal.SIGKILL
    del environment["LOGROUTER_FAULT"]
    assert len(list((tmp_path / "state").rglob("*.spool"))) == int("before" in deleted)
    journal.write(20)
    assert logrouter("up", "--config", "in.yaml", "--drain").returncode == 0
    assert messages(tmp_path) == journal.written


def _tear(spools: Path) -> None:
    """What a crash of the machine may leave behind what was synced."""
    if segments := sorted(spools.rglob("*.spool")):
        with segments[-1].open("ab") as file:
            file.write(b'\0\0\0\n{"__CURSOR":"i=999999","MESSAGE":"never w')


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_nothing_is_lost_or_repeated_by_a_kill_at_some_time(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], journal: FakeJournal, pause: float
) -> None:
    for _ in range(3):
        process = subprocess.Popen(
            [PROGRAM, "up", "--config", "in.yaml"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        )
        begun = len(journal.calls)
        while len(journal.calls) == begun:
            journal.write(10)
            assert process.poll() is None
        journal.write(5000)
        time.sleep(pause)
        process.kill()
        process.wait()
    result = logrouter("up", "--config", "in.yaml", "--drain")
    assert result.returncode == 0, result.stderr
    assert messages(tmp_path) == journal.written


def test_drained_twice_it_goes_on_where_it_was(
    logrouter: Command, tmp_path: Path, environment: dict[str, str], journal: FakeJournal
) -> None:
    for severity in ("info", "notice"):
        (tmp_path / "in.yaml").write_text(
            json.dumps({"journal": {"directory": str(journal.directory)}, "severity": severity})
        )
        journal.write(1200)
        assert logrouter("up", "--config", "in.yaml", "--drain").returncode == 0
        (tmp_path / "other.log").touch()
        assert logrouter("up", "--file", "other=other.log", "--drain").returncode == 0
    assert messages(tmp_path) == journal.written[200:]


def test_a_child_ends_with_its_shipper(tmp_path: Path, environment: dict[str, str], journal: FakeJournal) -> None:
    process = subprocess.Popen(
        [PROGRAM, "up", "--config", "in.yaml"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    while not any("--follow" in call for call in journal.calls):
        assert process.poll() is None
    process.kill()
    process.wait()
    child = Path("/proc") / journal.calls[-1].split()[0]
    while child.exists() and "Z" not in (child / "stat").read_text().rpartition(")")[2].split():
        time.sleep(0.01)


def test_a_real_journal(logrouter: Command, tmp_path: Path) -> None:
    needs(_REMOTE)
    (tmp_path / "in.yaml").write_text(json.dumps({"journal": {"directory": str(tmp_path / "journal")}}))
    (tmp_path / "journal").mkdir()
    written, since = [], int(time.time()) * 1_000_000
    for round_ in range(3):
        texts = [b"round %d entry %d" % (round_, index) for index in range(300)]
        texts += [b"two\nlines", b"not \xff\xfe UTF-8", b"\x1b[31mred", "é \U0001f600".encode(), b"x" * 100_000]
        _write_real(tmp_path, texts, since + round_ * 1000)
        written += texts
        result = logrouter("up", "--config", "in.yaml", "--drain")
        assert result.returncode == 0, result.stderr
        assert "journal." not in result.stderr
    records = read_archive(tmp_path / "state/archive")
    assert [record.message for record in records] == [text.decode(errors="replace") for text in written]
    assert {(record.service, record.host, record.severity) for record in records} == {("auth", "h1", "warning")}
    assert {record.pid for record in records} == {"7"}
    assert records[0].ts == rfc3339(since / 1_000_000)
    assert records[0].fields == {"unit": "ssh.service", "boot": "0123456789abcdef" * 2, "transport": "syslog"}


def _write_real(tmp_path: Path, texts: list[bytes], since: int) -> None:
    """Entries in the export format of the journal, made into a journal file by systemd."""
    fields = {
        "_BOOT_ID": "0123456789abcdef" * 2,
        "_TRANSPORT": "syslog",
        "_SYSTEMD_UNIT": "ssh.service",
        "_HOSTNAME": "h1",
        "SYSLOG_IDENTIFIER": "sshd",
        "_PID": "7",
        "PRIORITY": "4",
    }
    known = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    (tmp_path / "export").write_bytes(
        b"".join(
            b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n" % (since + index, since + index)
            + known + b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n\n"
            for index, text in enumerate(texts)
        )
    )  # fmt: skip
    subprocess.run(
        [_REMOTE, "-o", tmp_path / "journal" / "system.journal", tmp_path / "export"], check=True, capture_output=True
    )
