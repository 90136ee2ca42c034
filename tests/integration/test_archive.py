"""The archive on real files: what is committed is there once and readable by zcat, what is not leaves no trace."""

import errno
import gzip
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logrouter.destinations.archive import archive as archive_module
from logrouter.destinations.archive import segment as segment_module
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.destinations.archive.directory import Directory
from logrouter.destinations.archive.rotation import make_final
from logrouter.errors import Retry
from logrouter.ledger.ledger import FileState, Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.wire.batch import Part
from logrouter.wire.record import Record, decode_lines, encode_lines
from logrouter.wire.slices import Slice, from_part, milliseconds

NOON = "2026-11-22T12:00:00Z"


def piece(numbers: Sequence[int], ts: str = NOON, **names: Any) -> Slice:
    """Lines with these numbers; number n stands at [10 n, 10 n + 7)."""
    named = {"service": "web", "host": "h1", "severity": "info"} | names
    records = [
        Record(ts=ts, message=f"line {n:>2}"[:7], source="src", pos=10 * n, end=10 * n + 8, **named) for n in numbers
    ]
    return from_part(
        Part(
            source="src",
            start=0,
            from_=10 * numbers[0],
            to=10 * numbers[-1] + 10,
            part=0,
            keys=("k",),
            count=len(records),
            first=milliseconds(ts),
            last=milliseconds(ts),
            body=encode_lines(records),
            **named,
        )
    )


class Station:
    """An archive with its ledger, as the router drives them; `restart` is what a crash and a new start come to."""

    def __init__(self, base: Path, **settings: object) -> None:
        self.base = base
        self.directory = base / "archive"
        self.settings = ArchiveSettings(self.directory, **settings)  # type: ignore[arg-type]  # given by each test
        self._open()

    def _open(self) -> None:
        self.ledger = Ledger(self.base / "state")
        self.archive = Archive("archive", self.settings, self.ledger)

    async def restart(self) -> None:
        await self.stop()
        self._open()
        await self.archive.recover()

    async def stop(self) -> None:
        await self.archive.close()
        self.ledger.close()

    async def write(self, *windows: Sequence[Slice]) -> None:
        self.ledger.commit(LedgerEntry(files=await self.archive.write(windows)))
        await self.archive.committed()

    async def tidy(self) -> None:
        while files := await self.archive.tidy():
            self.ledger.commit(LedgerEntry(files=files))

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())

    def lines(self, path: str) -> list[str]:
        return [record.message for record in decode_lines(zcat(self.directory / path))]


def zcat(path: Path) -> bytes:
    tool = {".gz": "zcat", ".zst": "zstdcat"}.get(path.suffix, "cat")
    return subprocess.run([tool, path], check=True, capture_output=True).stdout


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Station]]:
    stations: list[Station] = []

    def build(**settings: object) -> Station:
        stations.append(Station(tmp_path, **settings))
        return stations[-1]

    yield build
    for station in stations:
        await station.stop()


OPEN = "web/h1/2026-11-22+open.jsonl.gz"


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst", ".jsonl"])
async def test_every_commit_leaves_a_file_that_plain_tools_read(make: Callable[..., Station], suffix: str) -> None:
    station = make(template="{service}/{host}/{date}" + suffix)
    for number in range(20):
        await station.write([piece([number])])
        assert len(station.lines(f"web/h1/2026-11-22+open{suffix}")) == number + 1


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst", ".jsonl"])
async def test_what_was_not_committed_is_cut_off_and_kept_aside(make: Callable[..., Station], suffix: str) -> None:
    station = make(template="{service}/{host}/{date}" + suffix)
    await station.write([piece([0, 1])])
    await station.archive.write([[piece([2, 3])]])  # a crash before the ledger's transaction
    await station.restart()
    name = f"web/h1/2026-11-22+open{suffix}"
    assert station.lines(name) == ["line  0", "line  1"]
    assert any(".torn-" in path for path in station.files())
    await station.write([piece([2, 3])])
    assert station.lines(name) == ["line  0", "line  1", "line  2", "line  3"]


async def test_a_file_that_was_never_committed_is_put_aside(make: Callable[..., Station]) -> None:
    station = make()
    await station.archive.write([[piece([0])]])
    await station.restart()
    assert not [path for path in station.files() if path.endswith(".gz")]  # whatever is written next, and where
    await station.write([piece([0])])
    assert station.lines(OPEN) == ["line  0"]
    assert sum(".torn-" in path for path in station.files()) == 1


async def test_an_undone_write_leaves_no_trace(make: Callable[..., Station]) -> None:
    station = make()
    await station.write([piece([0])])
    await station.archive.write([[piece([1])], [piece([0], host="h2")]])
    await station.archive.undo()
    assert station.files() == [OPEN]
    await station.write([piece([2])])
    assert station.lines(OPEN) == ["line  0", "line  2"]
    assert station.files() == [OPEN]


async def test_parts_of_a_window_meet_in_order_in_one_file(make: Callable[..., Station]) -> None:
    station = make()
    await station.write([piece([0, 2, 5]), piece([1, 3, 4], severity="error")], [piece([6])])
    assert station.lines(OPEN) == [f"line  {n}" for n in range(7)]


async def test_days_and_names_make_files(make: Callable[..., Station]) -> None:
    station = make()
    await station.write([piece([0]), piece([1], "2026-11-23T00:00:00Z"), piece([2], host="../../etc")])
    assert station.files() == [
        "web/%2E.%2F..%2Fetc/2026-11-22+open.jsonl.gz",
        OPEN,
        "web/h1/2026-11-23+open.jsonl.gz",
    ]


async def test_a_slice_over_midnight_is_divided(make: Callable[..., Station]) -> None:
    station = make()
    before, after = piece([0, 1], "2026-11-22T23:59:59.9Z"), piece([2], "2026-11-23T00:00:00.1Z")
    records = before.records() + after.records()
    both = from_part(
        Part(
            source="src",
            start=0,
            from_=0,
            to=30,
            part=0,
            keys=("k",),
            service="web",
            host="h1",
            severity="info",
            count=3,
            first=before.first,
            last=after.last,
            body=encode_lines(records),
        )
    )
    await station.write([both])
    assert station.lines(OPEN) == ["line  0", "line  1"]
    assert station.lines("web/h1/2026-11-23+open.jsonl.gz") == ["line  2"]


async def test_text_is_the_original_lines(make: Callable[..., Station]) -> None:
    station = make(template="{host}.log", text=True)
    await station.write([piece([0, 2]), piece([1], severity="error")])
    assert (station.directory / "h1+open.log").read_bytes() == b"line  0\nline  1\nline  2\n"


async def test_the_open_file_of_another_instance_is_left_alone(make: Callable[..., Station], tmp_path: Path) -> None:
    station = make()
    await station.write([piece([0])])
    await station.stop()
    other = Ledger(tmp_path / "other")
    archive = Archive("archive", station.settings, other)
    other.commit(LedgerEntry(files=await archive.write([[piece([1])]])))
    await archive.committed()
    await archive.close()
    other.close()
    station._open()
    await station.archive.recover()
    await station.write([piece([2])])
    assert station.files() == ["web/h1/2026-11-22+2+open.jsonl.gz", "web/h1/2026-11-22+open.jsonl.gz"]
    assert station.lines("web/h1/2026-11-22+open.jsonl.gz") == ["line  0", "line  2"]
    assert station.lines("web/h1/2026-11-22+2+open.jsonl.gz") == ["line  1"]


async def test_a_past_day_is_finished_once_it_rests(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    await station.write([piece([0], "2026-11-20T12:00:00Z")])
    await station.tidy()
    assert station.files() == ["web/h1/2026-11-20+open.jsonl.gz"]
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    await station.tidy()
    assert station.files() == ["web/h1/2026-11-20.jsonl.gz"]
    await station.write([piece([1], "2026-11-20T12:00:00Z")])
    await station.tidy()
    assert station.files() == ["web/h1/2026-11-20+2.jsonl.gz", "web/h1/2026-11-20.jsonl.gz"]
    assert station.lines("web/h1/2026-11-20+2.jsonl.gz") == ["line  1"]


async def test_a_crash_between_final_name_and_ledger_changes_nothing(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    station = make()
    await station.write([piece([0], "2026-11-20T12:00:00Z")])
    assert await station.archive.tidy()  # made final, and never committed
    await station.restart()
    await station.tidy()
    assert station.files() == ["web/h1/2026-11-20.jsonl.gz"]
    assert station.lines("web/h1/2026-11-20.jsonl.gz") == ["line  0"]


async def test_many_small_commits_are_compressed_again_at_the_end(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    station = make()
    day = "2026-11-20T12:00:00Z"
    for number in range(300):
        await station.write([piece([number], day)])
    await station.tidy()
    path = station.directory / "web/h1/2026-11-20.jsonl.gz"
    content = zcat(path)
    assert content == b"".join(piece([number], day).body for number in range(300))
    assert path.stat().st_size <= 1.3 * len(gzip.compress(content, 6))


async def test_size_ends_a_file_and_the_next_segment_begins(make: Callable[..., Station]) -> None:
    station = make(rotate_size=100)
    for number in range(2):
        await station.write([piece([number])])
        await station.tidy()
    assert station.files() == ["web/h1/2026-11-22+2.jsonl.gz", "web/h1/2026-11-22.jsonl.gz"]


async def test_retention_removes_old_days_alone(make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    station = make(keep_days=30)
    today = datetime.now(UTC)
    for age in (40, 10):
        await station.write([piece([age], (today - timedelta(days=age)).isoformat())])
    await station.tidy()
    assert station.files() == [f"web/h1/{(today - timedelta(days=10)).date()}.jsonl.gz"]
    assert len(list(station.ledger.files("archive", "removed"))) == 1


async def test_retention_looks_at_no_file_that_is_kept_and_removes_some_at_a_time(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_EXPIRING_AT_ONCE", 2)
    station = make(keep_days=30)
    today = datetime.now(UTC).date()
    days = {age: (today - timedelta(days=age)).isoformat() for age in (10, 30, 31, 40, 50)}
    kept = [FileState("archive", f"{number}.gz", 1, "finished", days[10]) for number in range(1000)]
    old = [FileState("archive", f"{age}.gz", 1, "finished", day) for age, day in days.items()]
    station.ledger.commit(LedgerEntry(files=[*kept, *old, FileState("archive", "undated.gz", 1, "finished")]))
    made = 0
    real = FileState.__init__

    def count(*arguments: Any, **fields: Any) -> None:
        nonlocal made
        made += 1
        real(*arguments, **fields)

    monkeypatch.setattr(FileState, "__init__", count)
    turns = []
    while files := await station.archive.tidy():
        turns.append([(file.path, file.state) for file in files])
        station.ledger.commit(LedgerEntry(files=files))
    assert turns == [
        [("50.gz", "expiring"), ("40.gz", "expiring")],
        [("50.gz", "removed"), ("40.gz", "removed")],
        [("31.gz", "expiring")],
        [("31.gz", "removed")],
    ]
    assert made < 20


async def test_files_that_are_due_are_finished_some_at_a_time(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_TURN_SECONDS", 0.0)
    station = make(rotate_size=1)
    await station.write(*([piece([0], host=f"h{host}")] for host in range(3)))
    turns = []
    while files := await station.archive.tidy():
        turns.append([file.state for file in files])
        station.ledger.commit(LedgerEntry(files=files))
    assert turns == [["finishing"], ["finished"]] * 3


async def test_a_full_disk_is_tried_again_and_leaves_no_half_member(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    await station.write([piece([0])])
    real = os.pwrite

    def half(fd: int, data: bytes, offset: int) -> int:
        real(fd, bytes(data)[: len(data) // 2], offset)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", half)
        with pytest.raises(Retry, match="No space left"):
            await station.archive.write([[piece([1])], [piece([1], host="h2")]])
    await station.write([piece([1])])
    assert station.lines(OPEN) == ["line  0", "line  1"]


async def test_after_a_failed_fsync_another_segment_is_written(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    await station.write([piece([0])])

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(Retry, match="Input/output error"):
            await station.archive.write([[piece([1])]])
    await station.write([piece([1])])
    assert station.lines("web/h1/2026-11-22+2+open.jsonl.gz") == ["line  1"]
    await station.tidy()
    assert station.lines("web/h1/2026-11-22.jsonl.gz") == ["line  0"]


@pytest.mark.parametrize("harm", ["remove", "shorten"])
async def test_a_file_that_someone_harmed_is_named_and_left_for_a_new_one(
    make: Callable[..., Station], harm: str
) -> None:
    station = make()
    await station.write([piece([0])])
    path = station.directory / OPEN
    path.unlink() if harm == "remove" else os.truncate(path, 5)
    before = events.ARCHIVE_DAMAGED.count()
    await station.restart()
    assert events.ARCHIVE_DAMAGED.count() == before + 1
    await station.write([piece([1])])
    assert station.lines("web/h1/2026-11-22+2+open.jsonl.gz") == ["line  1"]


async def test_a_file_removed_while_open_does_not_swallow_lines(make: Callable[..., Station]) -> None:
    station = make()
    await station.write([piece([0])])
    (station.directory / OPEN).unlink()
    with pytest.raises(Retry):
        await station.archive.write([[piece([1])]])
    await station.write([piece([1])])
    assert station.lines("web/h1/2026-11-22+2+open.jsonl.gz") == ["line  1"]


async def test_links_are_not_followed(make: Callable[..., Station], tmp_path: Path) -> None:
    station = make()
    (tmp_path / "elsewhere").mkdir()
    (station.directory / "web").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Retry):
        await station.archive.write([[piece([0])]])
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_more_files_than_may_be_open(make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_MAX_OPEN", 2)
    station = make()
    for turn in range(3):
        await station.write(*([piece([turn], host=f"h{host}")] for host in range(5)))
    for host in range(5):
        assert station.lines(f"web/h{host}/2026-11-22+open.jsonl.gz") == ["line  0", "line  1", "line  2"]


async def test_a_disk_that_fills_up_is_said_once_and_so_is_its_relief(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    full, roomy = events.DISK_NEARLY_FULL.count(), events.DISK_ROOMY.count()
    for free, expected in ((11, (0, 0)), (9, (1, 0)), (5, (1, 0)), (50, (1, 1))):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: (100, 100 - free, free))
        await station.tidy()
        assert (events.DISK_NEARLY_FULL.count() - full, events.DISK_ROOMY.count() - roomy) == expected


async def test_a_disk_that_is_full_at_the_start_is_waited_for(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    await station.write([piece([0])])
    with (station.directory / OPEN).open("ab") as file:
        file.write(b"torn")
    monkeypatch.setattr(os, "fdatasync", _fail)
    before = events.ARCHIVE_UNMENDED.count()
    await station.restart()
    assert events.ARCHIVE_UNMENDED.count() == before + 1
    with pytest.raises(Retry):
        await station.write([piece([1])])
    monkeypatch.undo()
    await station.write([piece([1])])
    assert station.lines(OPEN) == ["line  0", "line  1"]


async def test_a_file_that_cannot_be_taken_back_now_is_put_aside_by_the_next_write(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make()
    monkeypatch.setattr(os, "fdatasync", _fail)
    monkeypatch.setattr(os, "unlink", _fail)
    for _ in range(2):
        with pytest.raises(Retry):
            await station.write([piece([0])], [piece([0], service="mail")])
    monkeypatch.undo()
    await station.write([piece([0])], [piece([0], service="mail")])
    assert station.lines(OPEN) == station.lines(OPEN.replace("web", "mail")) == ["line  0"]


@pytest.mark.parametrize("records", [1, 3000])
async def test_a_file_that_cannot_be_finished_now_is_finished_later(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    """Of one small commit it is compressed again, of one large commit it is linked."""
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    station = make()
    await station.write([piece(range(records), "2026-11-20T12:00:00Z")])
    monkeypatch.setattr(os, "fsync", _fail)
    before = events.ARCHIVE_DAMAGED.count()
    for _ in range(2):
        await station.tidy()
    assert station.files() != ["web/h1/2026-11-20.jsonl.gz"]
    monkeypatch.undo()
    await station.tidy()
    assert station.files() == ["web/h1/2026-11-20.jsonl.gz"]
    assert len(station.lines("web/h1/2026-11-20.jsonl.gz")) == records
    assert events.ARCHIVE_DAMAGED.count() == before


async def test_a_segment_that_could_not_be_finished_is_not_written_to_behind_a_later_one(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make(rotate_size=100)

    def fail_for_the_first(directory: Directory, state: FileState) -> FileState:
        if state.segment == 1:
            _fail()
        return make_final(directory, state)

    with monkeypatch.context() as patched:
        patched.setattr(archive_module, "make_final", fail_for_the_first)
        for number in range(2):
            await station.write([piece([number])])
            await station.tidy()
    await station.restart()
    await station.write([piece([2])])
    await station.tidy()
    finished = ["web/h1/2026-11-22.jsonl.gz", "web/h1/2026-11-22+2.jsonl.gz", "web/h1/2026-11-22+3.jsonl.gz"]
    assert [station.lines(name) for name in finished] == [["line  0"], ["line  1"], ["line  2"]]


async def test_a_segment_that_was_begun_in_vain_is_not_written_to_behind_a_later_one(
    make: Callable[..., Station],
) -> None:
    station = make(rotate_size=100)
    begun = [FileState("archive", "web/h1/2026-11-22.jsonl.gz", segment, state="new") for segment in (1, 2)]
    station.ledger.commit(LedgerEntry(files=begun))
    await station.restart()
    await station.write([piece([0])])
    await station.restart()
    await station.tidy()
    await station.write([piece([1])])
    assert station.files() == ["web/h1/2026-11-22+2.jsonl.gz", "web/h1/2026-11-22+3+open.jsonl.gz"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
async def test_a_flipped_bit_is_named_at_the_end_and_the_file_left_as_it_is(
    make: Callable[..., Station], monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(archive_module, "_GRACE", 0.0)
    station = make(template="{service}.jsonl" + suffix)
    await station.write([piece([0])])
    (path,) = station.directory.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(255 - byte for byte in content[len(content) // 2 :])
    state = next(station.ledger.files("archive", "open"))
    end = segment_module.trailer(state)
    path.write_bytes(content[: state.length] + end)
    monkeypatch.setattr(archive_module, "is_due", lambda *_: True)
    before = events.ARCHIVE_DAMAGED.count()
    await station.tidy()
    assert events.ARCHIVE_DAMAGED.count() == before + 1
    assert [file.state for file in station.ledger.files("archive", "damaged")] == ["damaged"]
    assert path.read_bytes() == content[: state.length] + end


def _fail(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))
