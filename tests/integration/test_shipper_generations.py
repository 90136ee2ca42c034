"""A log is followed through all its generations: what came between is read, oldest first, and each line once."""

from __future__ import annotations

import bz2
import gc
import gzip
import json
import lzma
import mmap
import os
import shutil
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import zstandard
from faults.writers import make_room
from shipping import Reader, add, lines

from logrouter.observability.events import FILE_ALIKE, FILE_GONE, FILE_REWRITTEN, LINE_CUT
from shippers.encode.lines import Window
from shippers.files import chains, registry
from shippers.files.follow import GRACE
from shippers.files.log import Log
from shippers.files.reread import find

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}

A, B, C, D = (lines(1000 * number, 1000 * number + 500) for number in range(4))


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """One that has read a few lines of its log, and is stopped."""
    reader = Reader(tmp_path)
    add(reader.log, A[:120])
    reader.turn()
    reader.stop()
    return reader


def compress(path: Path, pack: Callable[[bytes], bytes] = gzip.compress, suffix: str = ".gz") -> Path:
    """What logrotate does: the time of the last change is kept."""
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(pack(path.read_bytes()))
    status = path.stat()
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return packed


def finish(reader: Reader) -> bytes:
    """All that was read, in the order in which it was."""
    reader.start()
    settle(reader)
    return told(reader)


def settle(reader: Reader) -> None:
    """Let it look a few times, and let go of what is done with."""
    for seconds in (1.0, 1.0, 1.0, 1.0, GRACE + 1, 1.0):
        reader.turn(seconds)


def told(reader: Reader) -> bytes:
    return b"".join(bytes(window.hole) + window.data for window, _ in reader.windows)


def numbered(reader: Reader, first: bytes) -> None:
    """Two rotations, the one before the last compressed in between."""
    add(reader.log, first)
    reader.log.rename(f"{reader.log}.2")
    add(reader.log, B)
    reader.log.rename(f"{reader.log}.1")
    add(reader.log, C)


def compressed(reader: Reader, first: bytes) -> None:
    numbered(reader, first)
    compress(Path(f"{reader.log}.2"))


def all_compressed(reader: Reader, first: bytes) -> None:
    compressed(reader, first)
    compress(Path(f"{reader.log}.1"))


def within(reader: Reader, first: bytes) -> None:
    add(reader.log, first)
    reader.log.rename(reader.logs / "app.2.log")
    add(reader.log, B)
    reader.log.rename(reader.logs / "app.1.log")
    add(reader.log, C)


def dated(reader: Reader, first: bytes) -> None:
    add(reader.log, first)
    reader.log.rename(f"{reader.log}-20261127")
    compress(Path(f"{reader.log}-20261127"))
    add(reader.log, B)
    reader.log.rename(f"{reader.log}-20261128")
    add(reader.log, C)


def of_a_wrong_clock(reader: Reader, first: bytes) -> None:
    numbered(reader, first)
    ahead = Path(f"{reader.log}.2").stat().st_mtime + 86400
    os.utime(f"{reader.log}.2", (ahead, ahead))


def of_freed_inodes(reader: Reader, first: bytes) -> None:
    """The live file has the inode that the first generation had."""
    add(reader.log, first)
    Path(f"{reader.log}.2").write_bytes(reader.log.read_bytes())
    status = reader.log.stat()
    os.utime(f"{reader.log}.2", ns=(status.st_atime_ns, status.st_mtime_ns))
    compress(Path(f"{reader.log}.2"))
    Path(f"{reader.log}.1").write_bytes(B)
    reader.log.write_bytes(C)  # the same inode, as ext4 would give it


ROTATIONS = [numbered, compressed, all_compressed, within, dated, of_a_wrong_clock, of_freed_inodes]


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_two_rotations_while_it_was_down(reader: Reader, rotate: Callable[[Reader, bytes], None]) -> None:
    gone = FILE_GONE.count()
    rotate(reader, A[120:])
    assert finish(reader) == A + B + C
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("pause", [1.0, 10.0])
@pytest.mark.parametrize("rotate", ROTATIONS[:-1])
def test_two_rotations_between_two_looks(tmp_path: Path, rotate: Callable[[Reader, bytes], None], pause: float) -> None:
    reader = Reader(tmp_path)
    add(reader.log, A[:120])
    reader.turn()
    rotate(reader, A[120:])
    reader.turn(pause)
    settle(reader)
    assert told(reader) == A + B + C


def test_of_three_generations_the_first_that_was_not_kept_is_counted(reader: Reader) -> None:
    gone = FILE_GONE.count()
    add(reader.log, A[120:])
    reader.log.unlink()
    add(reader.log, B)
    reader.log.rename(f"{reader.log}.1")
    add(reader.log, C)
    assert finish(reader) == A[:120] + B + C
    assert FILE_GONE.count() == gone + 1


@pytest.mark.parametrize("known", [0, 1, 5])
@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_small_or_empty_file_that_grew_was_rotated_and_compressed(tmp_path: Path, known: int, suffix: str) -> None:
    reader, gone = Reader(tmp_path), FILE_GONE.count()
    add(reader.log, lines(0, known))
    reader.turn()
    reader.stop()
    add(reader.log, lines(known, 500))
    reader.log.rename(f"{reader.log}.1")
    compress(Path(f"{reader.log}.1"), PACKINGS[suffix], suffix)
    add(reader.log, B)
    assert finish(reader) == lines(0, 500) + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("is_upgraded", [False, True])
def test_an_empty_file_that_grew_and_was_renamed_while_it_was_down(tmp_path: Path, is_upgraded: bool) -> None:
    reader = Reader(tmp_path)
    add(reader.log, b"")
    for _ in range(3):
        reader.turn()
        reader.stop()
        reader.start()
    reader.stop()
    (empty,) = (*reader.checkpoints.state.files, *reader.checkpoints.state.finished)
    if is_upgraded:
        state = {"files": [], "globs": [f"{reader.logs}/*.log"], "machine": "machine", "reporter": "r", "version": 1}
        empty_before = {"empty": {str(reader.log): empty.inode}}
        (reader.state / "finished.json").unlink(missing_ok=True)
        (reader.state / "positions.json").write_text(json.dumps(state | empty_before))
    add(reader.log, A)
    reader.log.rename(f"{reader.log}.1")
    assert finish(reader) == A


def test_what_piles_up_while_no_router_is_there_comes_oldest_first(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, A[:120])
    reader.turn(confirm=False)
    add(reader.log, A[120:])
    for content in (B, C, D):
        for number in (3, 2, 1):
            if (path := Path(f"{reader.log}.{number}")).exists():
                path.rename(f"{reader.log}.{number + 1}")
        reader.log.rename(f"{reader.log}.1")
        add(reader.log, content)
        reader.turn(5.0, confirm=False)
    before = [window.source for window, _ in reader.windows]
    assert len(set(before)) == 1, "another generation begins only when the one before it is safe"
    for generation in reader.files:
        generation.rewind(0.0)
    reader.windows.clear()
    for seconds in (1.0, 1.0, 1.0, 1.0, 1.0):
        reader.turn(seconds)
    assert told(reader) == A + B + C + D


def test_each_generation_names_the_one_before_it(reader: Reader) -> None:
    numbered(reader, A[120:])
    finish(reader)
    sources = list(dict.fromkeys(window.source for window, _ in reader.windows))
    first = {window.source: window.after for window, _ in reversed(reader.windows)}
    assert [first[source] for source in sources] == [None, (sources[0], len(A)), (sources[1], len(B))]
    assert all(window.after is None for window, _ in reader.windows if window.from_ > window.start)


def remove_renamed(log: Path) -> None:
    log.rename(f"{log}.1")


def remove_truncated(log: Path) -> None:
    os.truncate(log, 0)


@pytest.mark.parametrize("remove", [remove_renamed, remove_truncated, Path.unlink])
def test_a_generation_names_the_one_before_it_that_an_earlier_process_was_done_with(
    tmp_path: Path, remove: Callable[[Path], None]
) -> None:
    reader = Reader(tmp_path)
    add(reader.log, A)
    reader.turn()
    remove(reader.log)
    settle(reader)
    reader.stop()
    add(reader.log, B)
    before = reader.windows[-1][0]
    finish(reader)
    (window,) = [window for window, _ in reader.windows if window.source != before.source]
    assert window.after == (before.source, len(A))
    sought = reader.files.sought(window.source)
    assert sought is not None
    found = find(sought)
    assert found is not None
    assert found.window(0, window.to) == window  # also when a router asks for it again
    found.close()


def test_a_generation_that_went_before_it_was_read_is_named_by_none(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, A)
    reader.turn()
    reader.log.rename(f"{reader.log}.2")
    Path(f"{reader.log}.1").write_bytes(B)
    reader.log.touch()
    reader.turn(confirm=False)
    reader.stop()
    for number in (1, 2):
        Path(f"{reader.log}.{number}").unlink()
    add(reader.log, C)
    finish(reader)
    first, last = reader.windows[0][0], reader.windows[-1][0]
    assert (last.data, last.after) == (C, (first.source, len(A)))


def test_a_generation_that_becomes_known_late_is_read_before_those_behind_it(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    add(reader.log, A)
    reader.turn()
    reader.stop()
    reader.log.rename(f"{reader.log}.2")
    Path(f"{reader.log}.1").write_bytes(B)
    compress(Path(f"{reader.log}.1"))
    add(reader.log, C)
    reader.start()
    reader.files._logs.arrivals.settling = 3600.0  # it may be just being compressed
    reader.turn()
    assert told(reader) == A
    reader.files._logs.arrivals.settling = 0.0
    settle(reader)
    assert told(reader) == A + B + C


def test_a_process_killed_between_rotations_keeps_the_order_whatever_it_meets(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    rotating = threading.Thread(target=rotate_at_once, args=(reader.log,))
    rotating.start()
    firsts: dict[str, Window] = {}
    for life in count():
        if not rotating.is_alive():
            break
        reader.turn(confirm=life % 3 > 0)
        reader.stop(save=life % 2 > 0)
        reader.start()
    settle(reader)
    for window, _ in reader.windows:
        if window.from_ == window.start:
            firsts.setdefault(window.source, window)
    generations = [int(window.data.split()[1]) for window in firsts.values()]
    assert generations == list(range(20))
    sources = list(firsts)
    assert [window.after and window.after[0] for window in firsts.values()] == [None, *sources[:-1]]


def rotate_at_once(log: Path) -> None:
    """Twenty generations of a log, as logrotate makes them, with a few milliseconds for each."""
    for generation in range(20):
        with log.open("ab", buffering=0) as file:
            for number in range(5):
                file.write(b"generation %d line %d\n" % (generation, number) * 100)
                time.sleep(0.001)
            if generation < 19:
                log.rename(make_room(log))
                file.write(b"generation %d, late\n" % generation)


@pytest.mark.parametrize("is_quick", [False, True])
def test_a_file_that_is_rewritten_to_the_same_length_is_read_anew(tmp_path: Path, is_quick: bool) -> None:
    reader = Reader(tmp_path)
    for run in range(6):
        reader.log.write_bytes(b"run %d ok\n" % run)
        reader.turn(0.1 if is_quick else 5.0)
        reader.turn(0.1)  # its identity is saved by then
    assert told(reader) == b"".join(b"run %d ok\n" % run for run in range(6))


def test_logs_that_are_moved_to_a_new_disk_are_read_on(reader: Reader) -> None:
    gone = FILE_GONE.count()
    add(reader.log, A[120:])
    reader.log.rename(f"{reader.log}.1")
    add(reader.log, B)
    reader.logs.rename(reader.logs.with_name("old"))
    shutil.copytree(reader.logs.with_name("old"), reader.logs)
    shutil.rmtree(reader.logs.with_name("old"))
    assert finish(reader) == A + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("is_down", [False, True])
def test_a_file_that_is_replaced_by_a_longer_version_of_itself_is_read_on(tmp_path: Path, is_down: bool) -> None:
    reader, gone = Reader(tmp_path), FILE_GONE.count()
    add(reader.log, A)
    reader.turn()
    if is_down:
        reader.stop()
    new = reader.logs / ".app.log.Xy12"
    new.write_bytes(A + B)
    new.rename(reader.log)
    if is_down:
        reader.start()
    settle(reader)
    assert told(reader) == A + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("is_down", [False, True])
@pytest.mark.parametrize("glob", ["app.log", "app.log*"])
def test_copytruncate(tmp_path: Path, glob: str, is_down: bool) -> None:
    reader, rewritten = Reader(tmp_path, glob=glob, exclude=()), FILE_REWRITTEN.count()
    add(reader.log, A[:120])
    for content in (B, C):
        reader.turn()
        if is_down:
            reader.stop()
        add(reader.log, A[120:] if content is B else b"")
        if Path(f"{reader.log}.1").exists():
            Path(f"{reader.log}.1").rename(f"{reader.log}.2")
        shutil.copy2(reader.log, f"{reader.log}.1")
        os.truncate(reader.log, 0)
        add(reader.log, content)
        if is_down:
            reader.start()
    settle(reader)
    assert told(reader) == A + B + C
    assert FILE_REWRITTEN.count() == rewritten


def test_a_hole_that_copytruncate_leaves_is_a_number(tmp_path: Path) -> None:
    reader, cut = Reader(tmp_path), LINE_CUT.count()
    with reader.log.open("wb") as writer:  # it does not append
        writer.write(lines(0, 100_000))
        writer.flush()
        reader.turn()
        shutil.copy2(reader.log, f"{reader.log}.1")
        os.truncate(reader.log, 0)
        reader.turn()
        writer.write(lines(100_000, 100_010))
        writer.flush()
        reader.turn()
        reader.turn()
    (window, _) = reader.windows[-1]
    assert (window.hole, window.data) == (12 * 100_000, lines(100_000, 100_010))
    assert reader.log.read_bytes() == bytes(window.hole) + window.data
    assert reader.contents[-1] == reader.log.read_bytes() or reader.contents[0] == reader.log.read_bytes()
    assert LINE_CUT.count() == cut


@pytest.mark.parametrize("is_mapped", [False, True])
def test_a_file_that_is_preallocated_and_written_in_place(tmp_path: Path, is_mapped: bool) -> None:
    reader, rewritten = Reader(tmp_path), FILE_REWRITTEN.count()
    reader.log.write_bytes(bytes(65536))
    reader.turn()
    assert reader.windows == []
    with reader.log.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 65536)
        for first in range(0, 500, 100):
            content = lines(first, first + 100)
            if is_mapped:
                mapped[12 * first : 12 * first + len(content)] = content
            else:
                os.pwrite(file.fileno(), content, 12 * first)
            reader.turn()
            assert told(reader) == lines(0, first + 100)
        mapped.close()
    os.truncate(reader.log, 12 * 500)
    reader.turn()
    assert told(reader) == lines(0, 500)
    assert FILE_REWRITTEN.count() == rewritten


@pytest.mark.parametrize("is_down", [False, True])
def test_a_directory_that_a_link_leads_away_from(tmp_path: Path, is_down: bool) -> None:
    gone = FILE_GONE.count()
    for name in ("blue", "green"):
        (tmp_path / name).mkdir()
    (tmp_path / "logs").symlink_to("blue")
    reader = Reader(tmp_path)
    add(tmp_path / "blue" / "app.log", A[:120])
    reader.turn()
    if is_down:
        reader.stop()
    add(tmp_path / "blue" / "app.log", A[120:])
    (tmp_path / "logs").unlink()
    (tmp_path / "logs").symlink_to("green")
    add(tmp_path / "green" / "app.log", B)
    if is_down:
        reader.start()
    settle(reader)
    assert told(reader) == A + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("is_down", [False, True])
def test_a_directory_that_is_renamed(tmp_path: Path, is_down: bool) -> None:
    reader, gone = Reader(tmp_path), FILE_GONE.count()
    add(reader.log, A[:120])
    reader.turn()
    if is_down:
        reader.stop()
    add(reader.log, A[120:])
    reader.logs.rename(tmp_path / "logs-before")
    reader.logs.mkdir()
    add(reader.log, B)
    if is_down:
        reader.start()
    settle(reader)
    assert told(reader) == A + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("suffix", PACKINGS)
def test_what_was_not_read_is_read_from_what_was_compressed(reader: Reader, suffix: str) -> None:
    gone = FILE_GONE.count()
    add(reader.log, A[120:])
    reader.log.rename(f"{reader.log}.1")
    compress(Path(f"{reader.log}.1"), PACKINGS[suffix], suffix)
    add(reader.log, B)
    assert finish(reader) == A + B
    assert FILE_GONE.count() == gone


@pytest.mark.parametrize("where", ["archive", "absolute"])
def test_earlier_files_in_an_olddir(tmp_path: Path, where: str) -> None:
    olddir = tmp_path / "logs" / "archive" if where == "archive" else tmp_path / "elsewhere"
    reader = Reader(tmp_path, olddir="archive" if where == "archive" else str(olddir))
    olddir.mkdir()
    add(reader.log, A[:120])
    reader.turn()
    reader.stop()
    add(reader.log, A[120:])
    reader.log.rename(olddir / "app.log.2")
    compress(olddir / "app.log.2")
    add(olddir / "app.log.1", B)
    add(reader.log, C)
    assert finish(reader) == A + B + C


def test_two_files_with_one_banner_are_two_logs(tmp_path: Path) -> None:
    banner = b"# a server of 4.2, begun\n" * 100
    reader = Reader(tmp_path)
    for name in ("one", "two"):
        add(reader.logs / f"{name}.log", banner)
    reader.turn()
    reader.stop()
    for name in ("one", "two"):
        add(reader.logs / f"{name}.log", name.encode() + b"\n")
        (reader.logs / f"{name}.log").rename(reader.logs / f"{name}.log.1")
        add(reader.logs / f"{name}.log", banner)
    reader.start()
    for _ in range(4):
        reader.turn()
    assert sorted(reader.contents) == sorted([banner + b"one\n", banner + b"two\n", banner, banner])


def test_files_that_were_there_before_are_not_taken_for_what_came_since(tmp_path: Path) -> None:
    """Rotated files that stood beside the log when it was first followed belong to a time before."""
    (tmp_path / "logs").mkdir()
    add(tmp_path / "logs" / "app.log.1", B)
    reader = Reader(tmp_path)
    add(reader.log, A[:120])
    reader.turn()
    reader.stop()
    Path(f"{reader.log}.1").rename(f"{reader.log}.2")
    add(reader.log, A[120:])
    reader.log.rename(f"{reader.log}.1")
    add(reader.log, C)
    assert finish(reader) == A + C


def test_generations_that_are_gone_are_remembered_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "REMEMBERED", 3)
    reader = Reader(tmp_path)
    for number in range(8):
        add(reader.log, lines(100 * number, 100 * number + 100))
        reader.turn()
        reader.log.rename(f"{reader.log}.1")
        settle(reader)
    assert told(reader) == lines(0, 800)
    Path(f"{reader.log}.1").unlink()
    reader.turn()
    assert len(reader.files.state().finished) == 3


def test_logs_that_are_gone_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REMEMBERED", 3)
    monkeypatch.setattr(chains, "REMEMBERED", 3)
    reader = Reader(tmp_path)
    for number in range(30):  # as those of containers, each under its own name
        path = reader.logs / f"{number}x.log"
        add(path, lines(100 * number, 100 * number + 100))
        reader.turn()
        path.unlink()
        settle(reader)
    assert told(reader) == lines(0, 3000)
    assert sum(isinstance(each, Log) for each in gc.get_objects()) < 10


def test_two_generations_of_equal_bytes_are_read_both_and_said_to_be_alike(tmp_path: Path) -> None:
    reader, alike = Reader(tmp_path), FILE_ALIKE.count()
    add(reader.log, A)
    reader.turn()
    reader.log.rename(f"{reader.log}.1")
    add(reader.log, A)
    settle(reader)
    assert told(reader) == A + A
    assert FILE_ALIKE.count() == alike + 1
    reader.log.rename(f"{reader.log}.2")
    add(reader.log, B)
    settle(reader)
    assert told(reader) == A + A + B
    assert FILE_ALIKE.count() == alike + 1
