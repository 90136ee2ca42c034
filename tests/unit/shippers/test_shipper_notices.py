"""What is said about files that are missing or cannot be read: one line for all of a scan."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shippers.files.discovery import Discovery
from shippers.files.notices import Notices

NINE = [f"/var/log/{number}.log" for number in range(9)]


def scan(unreadable: dict[str, str] | None = None, matched: set[str] | None = None) -> Discovery:
    return Discovery(time.time(), unreadable=unreadable or {}, matched=matched or set())


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "logrouter")


def test_what_is_missing_is_one_line_and_what_comes_later_one_each(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices([*NINE, "/var/log/there.log"])
    notices.scanned(scan(matched={"/var/log/there.log"}))
    assert said(caplog) == [
        (
            "input.empty: no file matches /var/log/0.log, /var/log/1.log, /var/log/2.log, /var/log/3.log, "
            "... (9 patterns) yet"
        )
    ]
    notices.scanned(scan(matched={"/var/log/there.log"}))
    assert said(caplog) == []
    for _ in range(2):
        notices.scanned(scan(matched={NINE[4], NINE[5]}))
    assert said(caplog) == [
        "input.matched: a file now matches /var/log/4.log",
        "input.matched: a file now matches /var/log/5.log",
    ]


def test_where_all_is_there_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Notices(NINE).scanned(scan(matched=set(NINE)))
    assert said(caplog) == []


def test_what_cannot_be_read_is_grouped_by_reason(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    readable = str(tmp_path / "a.log")
    Path(readable).touch()
    denied = {readable: "Permission denied", "/b.log": "Permission denied"}
    notices = Notices([])
    notices.failed("/c.log", "Input/output error")
    assert notices.unreadable == ["/c.log"]
    notices.scanned(scan(denied))
    assert sorted(said(caplog)) == [
        (
            f"file.unreadable: cannot read /b.log, {readable} (permission denied); "
            "run as root, or add this user to group adm"
        ),
        "file.unreadable: cannot read /c.log (input/output error); trying again",
    ]
    assert notices.unreadable == sorted([*denied, "/c.log"])
    notices.failed("/c.log", "Input/output error")
    notices.scanned(scan({"/b.log": "Permission denied"}))
    assert said(caplog) == [f"file.readable: {readable} can be read now"]
    notices.scanned(scan())
    assert said(caplog) == [], "those are gone"


def test_root_is_not_told_to_be_root(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    Notices([]).scanned(scan({"/b.log": "Permission denied"}))
    assert said(caplog) == ["file.unreadable: cannot read /b.log (permission denied); trying again"]
