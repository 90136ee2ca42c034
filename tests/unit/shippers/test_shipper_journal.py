"""journalctl's output -> lines of a spool -> records; and where a spool says to go on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logrouter.config.mistakes import ConfigError
from logrouter.config.shippers import load_inputs
from logrouter.wire.record import Record, decode_lines, original
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input, Journal
from shippers.parse.journal import JournalLines, cursor_of, is_of, is_whole, wrapped
from shippers.services import Services
from shippers.settings import from_models
from shippers.sources import journal as journal_module
from shippers.sources.journal_cursor import Cursors
from shippers.spool.spool import Segment

NOW = 1_790_000_000.0
BASE = {"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1790000000000001", "MESSAGE": "hello"}


def records(line: bytes, settings: Journal | None = None, **said: Any) -> list[Record]:
    services = Services({"sshd": "auth"})
    made = Input(host="agent", feed=settings or Journal(), services=services, **{"service": "", **said})
    return [
        record for part in parts(Window("s", 0, 0, len(line), line), made, NOW) for record in decode_lines(part.body)
    ]


def record(settings: Journal | None = None, **fields: Any) -> Record:
    (found,) = records(json.dumps(BASE | fields).encode() + b"\n", settings)
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"PRIORITY": "3"}, {"severity": "error", "severity_from": "stated"}),
        ({"PRIORITY": "9"}, {"severity": "info", "severity_from": "default"}),
        ({"MESSAGE": "ERROR: not found"}, {"severity": "error", "severity_from": "stated"}),
        ({"MESSAGE": "ERROR: not found", "PRIORITY": "6"}, {"severity": "info"}),
        ({"MESSAGE": "ERROR: not found", "PRIORITY": "6", "_TRANSPORT": "stdout"}, {"severity": "error"}),
        ({"MESSAGE": "ERROR: not found", "PRIORITY": "5", "_TRANSPORT": "stdout"}, {"severity": "notice"}),
        ({"SYSLOG_FACILITY": "10"}, {"facility": "authpriv", "service": "auth"}),
        ({"SYSLOG_FACILITY": "99"}, {"facility": None, "service": "system"}),
        ({"SYSLOG_IDENTIFIER": "sshd", "_COMM": "x"}, {"app": "sshd", "service": "auth"}),
        ({"_COMM": "nginx"}, {"app": "nginx", "service": "nginx"}),
        ({"SYSLOG_PID": "1", "_PID": "2"}, {"pid": "1"}),
        ({"_PID": "2"}, {"pid": "2"}),
        ({"_HOSTNAME": "h1"}, {"host": "h1"}),
        ({}, {"host": "agent", "ts": "2026-09-21T14:13:20.000001Z", "received": None}),
        ({"_SOURCE_REALTIME_TIMESTAMP": "1790000000000000"}, {"ts": "2026-09-21T14:13:20.000000Z", "received": None}),
        (
            {"_SOURCE_REALTIME_TIMESTAMP": "1000000"},
            {"ts": "1970-01-01T00:00:01.000000Z", "received": "2026-09-21T14:13:20.000001Z"},
        ),
        ({"__REALTIME_TIMESTAMP": "9" * 18}, {"ts": "2026-09-21T14:13:20.000000Z"}),
        ({"MESSAGE_ID": "fc2e22bc6ee647b6b90729ab34a250b1"}, {"msgid": "fc2e22bc6ee647b6b90729ab34a250b1"}),
        ({"MESSAGE": None}, {"message": "", "raw": None}),
        ({"MESSAGE": [104, 105, 255]}, {"message": "hi\ufffd", "raw": "aGn/Cg=="}),
        ({"MESSAGE": [27, 91, 109]}, {"message": "\x1b[m", "raw": None}),
        ({"MESSAGE": ["one", [116, 119, 111]]}, {"message": "one\ntwo", "raw": None}),
        ({"MESSAGE": "two\nlines"}, {"message": "two\nlines", "raw": None}),
        ({"SYSLOG_IDENTIFIER": ["sshd", "x"]}, {"app": "sshd"}),
        (
            {"_SYSTEMD_UNIT": "a.service", "_BOOT_ID": "b", "_TRANSPORT": "journal", "_CMDLINE": "x", "CODE_LINE": "7"},
            {"fields": {"unit": "a.service", "boot": "b", "transport": "journal", "CODE_LINE": "7"}},
        ),
        (
            {
                "_SYSTEMD_UNIT": "user@1.service",
                "_SYSTEMD_USER_UNIT": "a.service",
                "OWN": ["1", "2"],
                "SYSLOG_RAW": "x",
            },
            {"fields": {"unit": "user@1.service", "user_unit": "a.service", "OWN": ["1", "2"]}},
        ),
        ({"BIG": "x" * 40_000, "SMALL": [1, 2]}, {"fields": {"left_out": 1, "SMALL": "\x01\x02"}}),
    ],
)
def test_what_an_entry_states(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    made = record(**fields)
    assert {name: getattr(made, name) for name in expected} == expected


def test_the_input_may_say_the_host_and_the_service() -> None:
    assert record(Journal(host="h2"), _HOSTNAME="h1").host == "h2"
    (made,) = records(json.dumps(BASE).encode() + b"\n", service="web", severity="notice")
    assert (made.service, made.severity) == ("web", "notice")


def test_a_long_message_is_cut_and_says_so() -> None:
    made = record(Journal(max_line=4), MESSAGE="123456")
    assert made.message == "1234"
    assert made.fields is not None
    assert made.fields["cut"]["length"] == 6


@given(st.binary(max_size=400))
@example(b'{"MESSAGE":"\\ud800"}')
@example(b"[" * 2000)
@example(b'{"MESSAGE":' + b"[" * 900 + b"]" * 900 + b"}")
def test_any_bytes_are_a_record(line: bytes) -> None:
    assert len(records(line.replace(b"\n", b"") + b"\n")) == 1


fields = st.one_of(
    st.text(),
    st.none(),
    st.integers(),
    st.booleans(),
    st.lists(st.one_of(st.text(), st.integers(0, 255), st.none(), st.lists(st.integers(-1, 256)))),
    st.dictionaries(st.text(), st.text()),
)
names = st.sampled_from(
    [
        *("MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "_PID", "_COMM"),
        *("_HOSTNAME", "_SYSTEMD_UNIT", "_BOOT_ID", "_TRANSPORT", "__REALTIME_TIMESTAMP", "__CURSOR", "cut", "OWN"),
        "_SOURCE_REALTIME_TIMESTAMP",
    ]
)


@given(st.dictionaries(names, fields))
def test_any_fields_are_a_record_that_rebuilds_its_message(entry: dict[str, Any]) -> None:
    (made,) = records(msgspec.json.encode(entry) + b"\n")
    if isinstance(entry.get("MESSAGE"), str):
        assert original(made) == entry["MESSAGE"].encode() + b"\n"


@given(st.lists(st.binary(max_size=60).map(lambda content: content.replace(b"\n", b""))), st.integers(1, 50))
def test_every_line_comes_out_once_and_whole_however_it_is_read(lines: Sequence[bytes], size: int) -> None:
    output = b"".join(
        b'{"__CURSOR":"i=%d","MESSAGE":%s}\n' % (number, json.dumps(line.hex()).encode())
        for number, line in enumerate(lines)
    )
    reader = JournalLines(1000)
    read = [each for at in range(0, len(output), size) for each in reader.feed(output[at : at + size])]
    assert b"".join(line for _, line in read) == output
    assert [cursor for cursor, _ in read] == [f"i={number}" for number in range(len(lines))]


@pytest.mark.parametrize("size", [7, 700, 100_000])
def test_what_is_no_entry_or_too_long_is_a_line_with_a_cursor(size: int) -> None:
    reader = JournalLines(1600)
    long = b'{"MESSAGE":"' + b'\\",\\"__CURSOR\\":\\"no' * 100 + b'","__CURSOR":"i=2","X":"' + b"x" * 5000 + b'"}'
    lines = [b'{"__CURSOR":"i=1"}', b"-- No entries --", b"what \xff is this", long, b'{"__CURSOR":"i=3"}', b"{", b""]
    output = b"\n".join([*lines, b""])
    read = [each for at in range(0, len(output), size) for each in reader.feed(output[at : at + size])]
    assert [cursor for cursor, _ in read] == ["i=1", "i=1", "i=2", "i=3", "i=3", "i=3"]
    assert [cursor_of(line) for _, line in read] == [cursor for cursor, _ in read]
    assert all(is_whole(line) and line.count(b"\n") == 1 and len(line) <= 1600 for _, line in read)
    odd, cut = (records(line)[0] for _, line in read[1:3])
    assert original(odd) == b"what \xff is this\n"
    assert cut.fields is not None
    assert cut.fields["cut"]["length"] == len(long)
    assert long.startswith(cut.message.encode())


@pytest.mark.parametrize(
    ("units", "entry", "expected"),
    [
        (["sshd"], {"_SYSTEMD_UNIT": "sshd.service"}, True),
        (["sshd.service"], {"UNIT": "sshd.service", "_SYSTEMD_UNIT": "init.scope"}, True),
        (["ssh"], {"_SYSTEMD_UNIT": "sshd.service"}, False),
        (["web-*", "db"], {"_SYSTEMD_UNIT": "web-1.service"}, True),
        (["app"], {"_SYSTEMD_UNIT": "user@1.service", "_SYSTEMD_USER_UNIT": "app.service"}, True),
        (["*"], {}, False),
    ],
)
def test_units(units: list[str], entry: dict[str, str], expected: bool) -> None:  # a table
    assert is_of(json.dumps(entry).encode(), units) is expected


def segment(directory: Path, number: int, content: bytes) -> Segment:
    directory.mkdir(exist_ok=True)
    path = directory / f"{number:010}-{number:016x}.spool"
    path.write_bytes(content)
    return Segment(path, "s", synced=len(content), closed=True)


def line(number: int) -> bytes:
    return b'{"__CURSOR":"i=%d","MESSAGE":"x"}\n' % number


@pytest.mark.parametrize("torn", [b"", b'{"__CURSOR":"i=4"', b"\0\0\n\0", b'{"__CURSOR":"i=4","MESS\n', b"\n\n"])
def test_it_goes_on_after_the_last_whole_line(tmp_path: Path, torn: bytes) -> None:
    segment(tmp_path, 1, line(1) + line(2))
    newest = segment(tmp_path, 2, line(3) + wrapped(b"odd", "") + torn)
    segment(tmp_path, 3, b"")
    assert Cursors(tmp_path).last == "i=3"
    assert newest.path.read_bytes() == line(3) + wrapped(b"odd", "")


def test_a_segment_with_nothing_whole_is_emptied(tmp_path: Path) -> None:
    kept = segment(tmp_path, 1, line(1))
    torn = segment(tmp_path, 2, b'{"__CURSOR":"i=2')
    assert Cursors(tmp_path).last == "i=1"
    assert (kept.path.read_bytes(), torn.path.read_bytes()) == (line(1), b"")


def test_without_segments_the_file_says_where(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    assert (cursors.last, cursors.begun) == ("", False)
    kept = segment(tmp_path, 1, line(1) + line(2) + b"not synced\n")
    kept.synced = len(line(1) + line(2))
    assert cursors.keep(kept)
    kept.path.unlink()
    cursors = Cursors(tmp_path)
    assert (cursors.last, cursors.begun) == ("i=2", True)


def test_where_the_cursor_cannot_be_saved_nothing_is_to_be_deleted(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    kept = segment(tmp_path, 1, line(1))
    (tmp_path / "cursor.new").mkdir()
    assert not cursors.keep(kept)
    (tmp_path / "cursor.new").rmdir()
    assert cursors.keep(kept)


def test_what_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "inputs: [{journal: true}, {journal: {units: [sshd, 'web-*'], first_read: all}, service: a, host: h},"
        " {journal: {directory: /var/log/journal/remote, first_read: 5, units: x}, max_line: 1 KiB, severity: notice}]"
    )
    assert [settings.feed for settings in from_models(load_inputs([tmp_path]))] == [
        Journal(),
        Journal(("sshd", "web-*"), first_read=None, host="h"),
        Journal(("x",), "/var/log/journal/remote", 5, max_line=1024),
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{journal: {unit: x}}", r":1:12: `unit` is not a valid key here\n    did you mean `units`\?"),
        ("{journal: {first_read: 0}}", r":1:24: 0 is not a number of entries\n    write one such as 1000, or all"),
        ("{journal: {directory: x}}", r":1:23: 'x' is not an absolute path"),
        ("{journal: true, files: [/x]}", r":1:17: an input cannot have both `files` and `journal`"),
        ("{journal: maybe}", r":1:11: 'maybe' is not a setting of `journal`\n    write true, or"),
        ("inputs: [{journal: true}, {journal: {units: []}}]", r": two inputs follow the same units of a journal"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, mistake: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_inputs([tmp_path])
    assert re.search(mistake, str(error.value))


def test_it_stands_in_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(f"journal: {{unless: [{tmp_path}/syslog, {tmp_path}/messages]}}")
    models = load_inputs([tmp_path / "a.yaml"])
    monkeypatch.setattr(journal_module, "_SYSTEMD_RUNS", tmp_path / "no")
    assert from_models(models) == []
    monkeypatch.setattr(journal_module, "_SYSTEMD_RUNS", tmp_path)
    assert [settings.feed for settings in from_models(models)] == [Journal()]
    (tmp_path / "messages").touch()
    assert from_models(models) == []
