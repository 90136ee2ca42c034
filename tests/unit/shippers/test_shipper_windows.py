"""Bytes in a file -> records: however they arrive, nothing is lost, merged or moved."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from logrouter.wire.batch import from_message, to_message
from logrouter.wire.record import Record, decode_lines, original
from logrouter.wire.truncated import Truncated
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.files import pieces
from shippers.files import reader as reader_module
from shippers.files.discovery import Origin
from shippers.files.generation import Generation, Tally
from shippers.files.reader import Reader
from shippers.input import Input
from shippers.services import Services

NOW = 1795352400.0  # 2026-11-22 13:00:00 UTC

contents = st.lists(
    st.one_of(
        st.sampled_from(
            [b"\n", b"\r\n", b"\r", b"\0", b"\xff\xfe", "é€😀".encode(), b"\xe2\x82", b"ERROR: x\n", b"{\n"]
        ),
        st.binary(max_size=12),
    ),
    max_size=30,
)


@contextmanager
def following(settings: Input) -> Iterator[tuple[Generation, int]]:
    """A generation in an empty file, and a handle that appends to it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "app.log")
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        origin = Origin(settings, "")
        reader = Reader(os.open(path, os.O_RDONLY), str(path), settings)
        generation = Generation(reader, str(path), origin, 0.0, Tally())
        generation.identity_saved()
        yield generation, writer
        reader.close()
        os.close(writer)


def take(generation: Generation, now: float, *, final: bool = False) -> list[Window]:
    windows = []
    for _ in range(10_000):
        window = generation.read(now, final=final)
        if window is not None:
            windows.append(window)
        elif generation.reader.exhausted:
            return windows
    pytest.fail("the generation never came to the end")


def records_of(windows: list[Window], settings: Input) -> list[Record]:
    found = [
        record for window in windows for part in parts(window, settings, NOW) for record in decode_lines(part.body)
    ]
    return sorted(found, key=lambda record: record.pos)


def cut_lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


@limits(deadline=None)  # it waits for the disk
@given(content=contents, sizes=st.tuples(st.integers(1, 40), st.integers(1, 5), st.integers(0, 40)))
def test_any_bytes_however_they_arrive_make_the_same_records_and_rebuild_the_file(
    content: list[bytes], sizes: tuple[int, int, int]
) -> None:
    window_size, window_lines, limit = sizes
    settings = Input("app", (), "web-1", max_line=limit or 1000)
    with pytest.MonkeyPatch.context() as patch, following(settings) as (generation, writer):
        patch.setattr(reader_module, "WINDOW", window_size)
        patch.setattr(pieces, "MAX_LINES", window_lines)
        patch.setattr(reader_module, "_SCAN", 7)
        windows = []
        for now, piece in enumerate(content):
            os.write(writer, piece)
            windows += take(generation, float(now))
        windows += take(generation, 1000.0, final=True)
    lines = cut_lines(b"".join(content).rstrip(b"\0"))  # NULs at the end are room
    assert [window.from_ for window in windows] == [0, *(window.to for window in windows)][: len(windows)]
    records = records_of(windows, settings)
    assert [(record.pos, record.end) for record in records] == spans(lines)
    for record, whole in zip(records, lines, strict=True):
        assert whole.startswith(bytes(record.nuls))
        line = whole[record.nuls :]
        if len(line.removesuffix(b"\n")) <= settings.max_line:
            assert original(record) == line
        else:
            assert record.fields == {"cut": {"length": len(line), "sha256": hashlib.sha256(line).hexdigest()}}
            assert original(record).startswith(line[: settings.max_line].removesuffix(b"\r"))
            assert original(record).count(b"\n") == 1


def spans(lines: list[bytes]) -> list[tuple[int, int]]:
    found, pos = [], 0
    for line in lines:
        found.append((pos, pos + len(line)))
        pos += len(line)
    return found


def only(data: bytes, **settings: str) -> Record:
    (record,) = records_of([Window("s", 0, 0, len(data), data)], Input("app", (), "web-1", **settings))  # type: ignore[arg-type]  # names of Input
    return record


@pytest.mark.parametrize(
    ("line", "message", "has_raw"),
    [
        (b"plain\n", "plain", False),
        (b"dos\r\n", "dos", False),
        (b"two\r\r\n", "two\r", False),
        (b"\n", "", False),
        (b"\r\n", "", False),
        (b"no end", "no end", False),
        (b"no end\r", "no end\r", False),
        (b"nul\0byte\n", "nul\0byte", False),
        (b"\xef\xbb\xbfbom\n", "bom", True),
        (b"latin \xe9t\xe9\r\n", "latin �t�", True),
        (b"\xff\xfea\0\n", "��a\0", True),
        (b"\xff", "�", True),
    ],
)
def test_a_line_keeps_its_bytes(line: bytes, message: str, has_raw: bool) -> None:
    record = only(line)
    assert record.message == message
    assert (record.raw is not None) == has_raw
    assert original(record) == line


def test_parts_travel_compressed_where_that_is_asked_for() -> None:
    data = b"2026-11-22 12:00:00 ERROR x\n" * 50 + b"ok\n"
    window = Window("s", 0, 0, len(data), data)
    plain, compressed = (parts(window, Input("app", host="h", compressed=how), NOW) for how in (False, True))
    assert [to_message(part).content_encoding for part in compressed] == ["zstd", ""]  # one line gains nothing
    assert tuple(from_message(to_message(part)) for part in compressed) == plain


def test_parts_are_one_for_each_severity_in_order_of_appearance_with_all_keys() -> None:
    data = b"plain\n2026-11-22T12:59:59Z ERROR a\n2026-11-22T12:59:58Z WARN b\n2026-11-22T12:59:57Z ERROR c\n"
    found = parts(Window("s1", 100, 200, 200 + len(data), data), Input("ap.p", (), "web 1"), NOW)
    assert [part.key for part in found] == ["ap_p.web_1.info", "ap_p.web_1.error", "ap_p.web_1.warning"]
    assert {part.keys for part in found} == {tuple(part.key for part in found)}
    assert [(part.part, part.count) for part in found] == [(0, 1), (1, 2), (2, 1)]
    assert {(part.source, part.start, part.from_, part.to) for part in found} == {("s1", 100, 200, 200 + len(data))}
    assert {(part.service, part.host) for part in found} == {("ap.p", "web 1")}
    error = found[1]
    assert (error.first, error.last) == (int(NOW * 1000) - 3000, int(NOW * 1000) - 1000)
    assert [record.message[-1] for record in decode_lines(error.body)] == ["a", "c"]
    assert [from_message(to_message(part)) for part in found] == list(found)


def test_a_time_far_from_the_reading_is_kept_and_the_record_filed_by_when_it_was_received() -> None:
    data = b"2020-01-01T00:00:00Z old\n2026-11-21T13:00:01Z within a day\n"
    (part,) = parts(Window("s", 0, 0, len(data), data), Input("app", (), "h"), NOW)
    old, recent = decode_lines(part.body)
    assert (old.ts, old.received) == ("2020-01-01T00:00:00Z", "2026-11-22T13:00:00.000000Z")
    assert (recent.ts, recent.received) == ("2026-11-21T13:00:01Z", None)
    assert (part.first, part.last) == (int(NOW * 1000) - 86_399_000, int(NOW * 1000))


def test_a_cut_line_is_marked_and_stays_a_line_of_its_own() -> None:
    window = Window("s", 0, 10, 5010, "abcé".encode()[:4], Truncated(5000, "beef"))
    (part,) = parts(window, Input("app", (), "h"), NOW)
    (record,) = decode_lines(part.body)
    assert (record.pos, record.end, record.fields) == (10, 5010, {"cut": {"length": 5000, "sha256": "beef"}})
    assert original(record) == b"abc\xc3\n"


def test_the_defaults_of_an_input_label_what_a_line_does_not_say() -> None:
    record = only(b"plain\n", severity="debug")
    assert (record.severity, record.severity_from, record.service, record.host) == ("debug", "default", "app", "web-1")
    assert record.ts == "2026-11-22T13:00:00.000000Z"


def test_without_a_service_each_line_goes_by_its_program() -> None:
    settings = Input("", ("/x",), "h", services=Services({"postfix": "mail"}))
    data = (
        b"Nov 22 14:00:00 host postfix/smtpd[12]: connect\r\n"
        b"Nov 22 14:00:01 host myapp: ERROR \xff\n"
        b"no header\n"
        b"Nov 22 14:00:02 host postfix/qmgr[13]: ERROR\n"
    )
    found = parts(Window("s", 0, 0, len(data), data), settings, NOW)
    assert [part.key for part in found] == ["mail.h.info", "myapp.h.error", "system.h.info", "mail.h.error"]
    assert all(part.keys == found[0].keys for part in found)
    records = sorted((record for part in found for record in decode_lines(part.body)), key=lambda record: record.pos)
    assert [(record.app, record.pid) for record in records] == [
        ("postfix/smtpd", "12"),
        ("myapp", None),
        (None, None),
        ("postfix/qmgr", "13"),
    ]
    assert b"".join(original(record) for record in records) == data
