"""Files that are not their own content: compressed ones, each read once, and UTF-16."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shipping import Reader, add, lines, records, routing, shipping

from logrouter.broker import connect
from logrouter.observability.events import FILE_DAMAGED, FILE_GONE, FILE_UNREADABLE
from shippers.arguments import from_files
from shippers.encode.windows import parts
from shippers.files.content import content_of
from shippers.files.follow import GRACE
from shippers.files.reread import find
from shippers.input import Input

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def rotated(reader: Reader, suffix: str = ".1.gz", pack: Callable[[bytes], bytes] = gzip.compress) -> Path:
    """What logrotate does: rename, compress, delete."""
    packed = reader.log.with_name(reader.log.name + suffix)
    packed.write_bytes(pack(reader.log.read_bytes()))
    status = reader.log.stat()
    os.utime(packed, (status.st_atime, status.st_mtime))
    reader.log.unlink()
    return packed


def messages(reader: Reader) -> list[str]:
    given = (part for window, settings in reader.windows for part in parts(window, settings, 0.0))
    return [record.message for record in records(given)]


@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_compressed_file_is_read_once(tmp_path: Path, suffix: str) -> None:
    reader = Reader(tmp_path, glob=f"*{suffix}", exclude=())
    content = lines(0, 100_000) + b"no newline"
    (reader.logs / f"old{suffix}").write_bytes(PACKINGS[suffix](content))
    for _ in range(2):
        reader.turn()
        reader.turn(GRACE)
        assert reader.contents == [content]
        reader.stop()
        reader.start()
    before = len(reader.windows)
    reader.turn()
    assert len(reader.windows) == before


def test_a_compressed_file_goes_on_after_a_restart_where_it_was(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.gz", exclude=())
    (reader.logs / "old.gz").write_bytes(gzip.compress(lines(0, 200_000)))
    reader.scan()
    for _ in range(3):
        reader.lap()
    reader.stop()
    assert 0 < len(reader.windows) < 5
    reader.start()
    reader.turn()
    assert reader.contents == [lines(0, 200_000)]
    assert sum(window.to - window.from_ for window, _ in reader.windows) == len(lines(0, 200_000))


def test_members_in_a_row_and_what_is_still_being_compressed(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.gz", exclude=())
    whole = gzip.compress(lines(0, 1000)) + gzip.compress(lines(1000, 60_000))
    add(reader.logs / "old.gz", whole[:-1000])
    reader.turn()
    assert len(reader.contents[0]) < len(lines(0, 60_000))
    add(reader.logs / "old.gz", whole[-1000:])
    reader.turn()
    assert reader.contents == [lines(0, 60_000)]


@pytest.mark.parametrize(
    ("ending", "magic"), [(".lz4", b"\x04\x22\x4d\x18"), (".zip", b"PK\x03\x04"), (".Z", b"\x1f\x9d")]
)
def test_what_cannot_be_decompressed_is_reported_and_not_shipped(tmp_path: Path, ending: str, magic: bytes) -> None:
    before = FILE_DAMAGED.count()
    reader = Reader(tmp_path)
    add(reader.log, b"one\n")
    reader.turn()
    reader.stop()
    reader.log.unlink()
    Path(f"{reader.log}.1{ending}").write_bytes(magic + b"\nnot a line\n")
    add(reader.log, b"two\n")
    reader.start()
    for _ in range(3):
        reader.turn(70.0)
    assert b"".join(window.data for window, _ in reader.windows) == b"one\ntwo\n"
    assert FILE_DAMAGED.count() == before + 1


def test_a_damaged_file_is_named_and_read_as_far_as_it_goes(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.xz", exclude=())
    packed = bytearray(lzma.compress(os.urandom(1 << 20).hex().encode() + b"\n"))
    packed[len(packed) // 2] ^= 0xFF
    (reader.logs / "old.xz").write_bytes(packed)
    add(reader.logs / "other.xz", lzma.compress(lines(0, 10)))
    before = FILE_DAMAGED.count()
    reader.turn()
    reader.turn()
    assert reader.contents == [lines(0, 10)]
    assert FILE_DAMAGED.count() == before + 1


def test_a_file_that_was_rotated_and_compressed_while_nobody_looked_is_read_on(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 1000))
    reader.turn()
    reader.stop()
    add(reader.log, lines(1000, 5000))
    rotated(reader)
    add(reader.log, lines(9000, 9010))
    gone = FILE_GONE.count()
    reader.start()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 5000), lines(9000, 9010)]
    assert FILE_GONE.count() == gone
    reader.turn(GRACE + 1)
    reader.turn()
    assert reader.open_files == [str(reader.log)]


@pytest.mark.parametrize("unread", [0, 500])
def test_what_a_rotation_makes_of_a_file_that_is_followed_is_not_read_again(tmp_path: Path, unread: int) -> None:
    reader = Reader(tmp_path, glob="app.log*", exclude=())
    add(reader.log, lines(0, 1000))
    reader.turn()
    add(reader.log, lines(1000, 1000 + unread))
    rotated(reader)
    for seconds in (1.0, 1.0, GRACE + 1, 1.0):
        reader.turn(seconds)
    assert reader.contents == [lines(0, 1000 + unread)]
    assert reader.open_files == []
    reader.stop()
    reader.start()
    reader.turn()
    assert len({window.source for window, _ in reader.windows}) == 1


def test_a_pattern_that_names_an_ending_wants_such_files(tmp_path: Path) -> None:
    inputs = from_files([("old", f"{tmp_path}/logs/*.gz"), ("app", f"{tmp_path}/logs/*")])
    reader = Reader(tmp_path, *inputs)
    for name, content in (("a.gz", gzip.compress(b"gz\n")), ("b.bz2", bz2.compress(b"bz\n")), ("c.log", b"c\n")):
        add(reader.logs / name, content)
    reader.turn()
    assert sorted(reader.contents) == [b"c\n", b"gz\n"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_text_and_every_byte_can_be_had_again(tmp_path: Path, encoding: str) -> None:
    reader = Reader(tmp_path)
    text = "\ufeffgrüße\r\n\u0a0a \u010a\r\n\U0001f600\x00\r\n"
    add(reader.log, text.encode(encoding)[:-7])
    reader.turn()
    add(reader.log, text.encode(encoding)[-7:] + "half".encode(encoding))
    reader.turn()
    reader.stop()
    reader.start()
    add(reader.log, " whole\r\n\ud800\r\n".encode(encoding, errors="surrogatepass"))
    reader.turn()
    assert messages(reader)[:4] == ["grüße", "\u0a0a \u010a", "\U0001f600\x00", "half whole"]
    rebuilt = b"".join(reader.contents).decode(errors="surrogatepass").encode(encoding, errors="surrogatepass")
    assert reader.log.read_bytes() == rebuilt
    assert len({window.source for window, _ in reader.windows}) == 1


def test_bytes_that_only_begin_like_a_mark_are_kept_as_they_are(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"\xff\xfeodd\nline\n")
    reader.turn()
    assert reader.contents == [b"\xff\xfeodd\nline\n"]


def test_a_utf_16_file_that_is_truncated_is_another(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.log.write_bytes("\ufeffone\ntwo\n".encode("utf-16-le"))
    reader.turn()
    os.truncate(reader.log, 0)
    reader.turn()
    add(reader.log, "\ufeffnew\n".encode("utf-16-le"))
    reader.turn()
    assert sorted(reader.contents, reverse=True) == ["\ufeffone\ntwo\n".encode(), "\ufeffnew\n".encode()]


async def test_a_drain_waits_for_all_of_a_compressed_file(tmp_path: Path) -> None:
    broker = connect("embedded", tmp_path / "broker")
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(lines(0, 50_000)))
    (tmp_path / "win.log").write_bytes(("\ufeff" + lines(0, 20_000).decode()).encode("utf-16-le"))
    inputs = [Input("app", (f"{tmp_path}/*.log.gz", f"{tmp_path}/*.log"), "h", exclude=())]
    async with routing(broker) as taken, shipping(broker, inputs, tmp_path / "state") as agent:
        assert await agent.drain() == []
        assert sum(part.count for part in taken) == 70_000


def test_files_that_begin_with_the_same_few_lines_are_not_twins(tmp_path: Path) -> None:
    banner = b"#Software: a server\n#Fields: date time\n"
    reader = Reader(tmp_path, glob="*", exclude=())
    add(reader.log, banner)
    reader.turn()
    add(reader.logs / "old.gz", gzip.compress(banner + lines(0, 1000)))
    reader.turn()
    assert sorted(reader.contents) == sorted([banner, banner + lines(0, 1000)])
    reader.stop()
    reader.start()
    add(reader.log, lines(5000, 5010))
    reader.turn()
    assert sorted(reader.contents) == sorted([banner + lines(5000, 5010), banner + lines(0, 1000)])


def test_a_copy_beside_its_original_does_not_take_its_place(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*", exclude=())
    add(reader.log, lines(0, 1000))
    reader.turn()
    reader.stop()
    add(reader.logs / "app.gz", gzip.compress(lines(0, 1000)))
    reader.start()
    for seconds in (1.0, GRACE + 1):
        reader.turn(seconds)
    assert reader.contents == [lines(0, 1000)]


def test_a_compressed_file_that_is_written_anew_is_another(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.gz", exclude=())
    (reader.logs / "a.gz").write_bytes(gzip.compress(lines(0, 1000)))
    reader.turn()
    (reader.logs / "a.gz").write_bytes(gzip.compress(lines(7000, 12_000)))
    reader.turn()
    reader.turn()
    assert sorted(reader.contents) == [lines(0, 1000), lines(7000, 12_000)]


@pytest.mark.parametrize("suffix", PACKINGS)
def test_no_line_is_split_where_a_file_is_not_whole_yet(tmp_path: Path, suffix: str) -> None:
    content = b"".join(os.urandom(12).hex().encode() + b"\n" for _ in range(20_000))
    whole = PACKINGS[suffix](content)
    reader = Reader(tmp_path, glob=f"*{suffix}", exclude=())
    for begin in range(0, len(whole), len(whole) // 5):
        add(reader.logs / f"a{suffix}", whole[begin : begin + len(whole) // 5])
        reader.turn(2.0)
    assert reader.contents == [content]
    assert len(messages(reader)) == 20_000


def test_what_is_there_of_a_file_without_its_end_is_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.gz", exclude=())
    (reader.logs / "a.gz").write_bytes(gzip.compress(lines(0, 700))[:-8])
    os.utime(reader.logs / "a.gz", (1e9, 1e9))
    before = FILE_DAMAGED.count()
    reader.turn()
    assert reader.contents == [lines(0, 700)]
    assert FILE_DAMAGED.count() == before + 1


def test_what_is_read_from_a_compressed_file_can_be_read_once_more(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.stop()
    add(reader.log, lines(10, 1000))
    packed = rotated(reader)
    reader.start()
    reader.turn()
    assert str(packed) in reader.open_files
    assert reread(reader) == lines(0, 1000)


def test_what_a_copy_holds_can_be_read_once_more_when_its_file_was_truncated(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, lines(0, 1000))
    reader.turn()
    shutil.copy2(reader.log, f"{reader.log}.1")
    os.truncate(reader.log, 0)
    reader.turn()
    assert reread(reader) == lines(0, 1000)


def reread(reader: Reader) -> bytes:
    """The first thousand lines of the first source, read once more."""
    (window, _), *_ = reader.windows
    sought = reader.files.sought(window.source)
    assert sought is not None
    found = find(sought)
    assert found is not None
    again = found.window(0, 12_000)
    found.close()
    assert again is not None
    return again.data


def test_a_compressed_file_that_has_just_changed_is_left_for_a_later_look(tmp_path: Path) -> None:
    reader = Reader(tmp_path, glob="*.gz", exclude=())
    reader.turn()
    reader.files._logs.arrivals.settling = 3600.0
    add(reader.logs / "a.gz", gzip.compress(lines(0, 10)))
    assert reader.turn() == []
    reader.files._logs.arrivals.settling = 0.0
    reader.turn()
    assert reader.contents == [lines(0, 10)]


def test_a_file_that_cannot_be_read_at_its_first_sight_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (reader.logs / "bad.log").symlink_to("/proc/self/mem")
    add(reader.log, lines(0, 10))
    before = FILE_UNREADABLE.count()
    reader.turn()
    assert reader.contents == [lines(0, 10)]
    assert FILE_UNREADABLE.count() == before + 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 70_000)), min_size=1, max_size=8),
    st.sampled_from(sorted(PACKINGS)),
)
def test_packed_content_reads_like_the_content(tmp_path: Path, looks: list[tuple[int, int]], suffix: str) -> None:
    content = lines(0, 30_000)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(PACKINGS[suffix](content))
    fd = os.open(path, os.O_RDONLY)
    try:
        packed = content_of(fd, str(path))
        for offset, count in looks:
            assert packed.read(count, offset) == content[offset : offset + count]
            packed.rest()
            assert packed.size(path.stat().st_size) <= len(content)
    finally:
        os.close(fd)
