"""What rotation, copies, deletions and crashes do to two logs in any order, against a model that knows each line.

Each line that was written is told once, those of a generation before those of the next; only what was deleted before
it was read may be missing, and only what a writer appended behind its successor's back may come late.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from shipping import Reader, add

from shippers.encode.lines import Window
from shippers.files.follow import GRACE
from shippers.input import Input

T = TypeVar("T")

PACKINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (gzip.compress, gzip.decompress),
    ".bz2": (bz2.compress, bz2.decompress),
    ".xz": (lzma.compress, lzma.decompress),
    ".zst": (zstandard.compress, zstandard.decompress),
}

BANNER = b"".join(b"banner %d: what each file begins with\n" % number for number in range(40))
"""What all files of a log begin with, or none."""

LIVE = {"numbered": "app.log", "dated": "app.log", "within": "web.log", "plain": "messages"}


@dataclass
class Rotated:
    """A file that is live no longer. number: of its generation.   is_renamed: its writer may still have it open."""

    path: Path
    number: int
    is_renamed: bool


@dataclass
class ModelLog:
    """A log and what it should come to. rotated: newest first.   written: each line, and its generation.

    late: lines that were appended to a renamed file.   deleted: lines that were in a file when that was deleted.
    """

    scheme: str
    directory: Path
    banner: bytes
    generation: int = 0
    days: int = 0
    rotated: list[Rotated] = field(default_factory=list)
    written: dict[bytes, int] = field(default_factory=dict)
    late: set[bytes] = field(default_factory=set)
    deleted: set[bytes] = field(default_factory=set)

    @property
    def live(self) -> Path:
        return self.directory / LIVE[self.scheme]

    @property
    def has_content(self) -> bool:
        return self.live.exists() and self.live.stat().st_size > 0

    @property
    def is_held(self) -> bool:
        """Whether the writer still has the file open that was rotated last."""
        return bool(self.rotated) and self.rotated[0].is_renamed

    def append(self, path: Path, number: int, lines: list[bytes]) -> None:
        beginning = b"" if path.exists() and path.stat().st_size else self.banner
        add(path, beginning + b"".join(lines))
        self.written |= dict.fromkeys(lines, number)

    def shift(self) -> Path:
        """Make room behind the live file, as the scheme has it; the path that it is rotated to."""
        if self.scheme == "dated":
            self.days += 1
            return Path(f"{self.live}-2026{1 + self.days // 28:02}{1 + self.days % 28:02}")
        for place in range(len(self.rotated), 0, -1):
            each = self.rotated[place - 1]
            ending = each.path.suffix if each.path.suffix in PACKINGS else ""
            each.path = each.path.rename(f"{self.place(place + 1)}{ending}")
        return self.place(1)

    def place(self, number: int) -> Path:
        live = self.live
        return live.with_name(f"{live.stem}.{number}.log") if self.scheme == "within" else Path(f"{live}.{number}")


class Teller(Reader):
    """A reader of plain lines.   ends: up to where each source was told.   firsts: windows that began one."""

    def __init__(self, directory: Path, globs: tuple[str, ...]) -> None:
        self.ends: dict[str, int] = {}
        self.firsts: list[Window] = []
        super().__init__(directory, Input("app", globs, "h"))

    def count(self, window: Window, settings: Input) -> int:
        return window.data.count(b"\n")

    def tell(self) -> list[bytes]:
        """What is new of what was read since the last time."""
        new: list[bytes] = []
        for window, _ in self.windows:
            if window.from_ == window.start:
                self.firsts.append(window)
            end = self.ends.setdefault(window.source, window.start)
            assert window.from_ <= end, "a hole"
            new += window.data[end - window.from_ :].splitlines(keepends=True)
            self.ends[window.source] = max(end, window.to)
        self.windows.clear()
        return [line for line in new if not line.startswith(b"banner")]


def one_of(those: list[T], data: st.DataObject) -> T:
    return those[data.draw(st.integers(0, len(those) - 1))]


class FollowedLogs(RuleBasedStateMachine):
    """Two logs, one shipper."""

    @initialize(
        schemes=st.lists(st.sampled_from(sorted(LIVE)), min_size=2, max_size=2, unique_by=LIVE.get),
        banner=st.sampled_from([b"", BANNER]),
        matches_all=st.booleans(),
    )
    def begin(self, schemes: list[str], banner: bytes, matches_all: bool) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="log-model-"))
        self.number = 0
        logs = self.room / "logs"
        self.logs = [ModelLog(scheme, logs, banner) for scheme in schemes]
        globs = tuple(str(logs / ("*" if matches_all else LIVE[scheme])) for scheme in schemes)
        self.reader = reader = Teller(self.room, globs)
        self.last = [0, 0]
        self.told: set[bytes] = set()
        self.sources: dict[str, tuple[int, int]] = {}
        self.is_running = True
        for log in self.logs:
            log.append(log.live, 0, self.lines(1))
        reader.turn()

    def lines(self, count: int) -> list[bytes]:
        self.number += count
        return [b"line %d of this test\n" % number for number in range(self.number - count, self.number)]

    @rule(which=st.integers(0, 1), count=st.sampled_from([1, 3, 60, 4000]))
    def write(self, which: int, count: int) -> None:
        log = self.logs[which]
        log.append(log.live, log.generation, self.lines(count))

    def plain(self) -> list[Rotated]:
        return [each for log in self.logs for each in log.rotated if each.path.suffix not in PACKINGS]

    def packed(self) -> list[Rotated]:
        return [each for log in self.logs for each in log.rotated if each.path.suffix in PACKINGS]

    @precondition(lambda self: any(log.has_content for log in self.logs))
    @rule(data=st.data(), creates=st.booleans())
    def rotate(self, data: st.DataObject, creates: bool) -> None:
        log = one_of([log for log in self.logs if log.has_content], data)
        path = log.live.rename(log.shift())
        log.rotated.insert(0, Rotated(path, log.generation, is_renamed=True))
        log.generation += 1
        if creates:
            log.live.touch()

    @precondition(lambda self: any(log.has_content for log in self.logs))
    @rule(data=st.data())
    def copytruncate(self, data: st.DataObject) -> None:
        log = one_of([log for log in self.logs if log.has_content], data)
        path = log.shift()
        shutil.copy2(log.live, path)
        os.truncate(log.live, 0)
        log.rotated.insert(0, Rotated(path, log.generation, is_renamed=False))
        log.generation += 1

    @precondition(lambda self: any(log.is_held for log in self.logs))
    @rule(data=st.data(), count=st.sampled_from([1, 5]))
    def write_late(self, data: st.DataObject, count: int) -> None:
        log = one_of([log for log in self.logs if log.is_held], data)
        lines = self.lines(count)
        log.append(log.rotated[0].path, log.rotated[0].number, lines)
        log.late |= set(lines)

    @precondition(lambda self: self.plain())
    @rule(data=st.data(), ending=st.sampled_from(sorted(PACKINGS)))
    def compress(self, data: st.DataObject, ending: str) -> None:
        each = one_of(self.plain(), data)
        each.path = self.remade(each.path, Path(f"{each.path}{ending}"), PACKINGS[ending][0])
        each.is_renamed = False

    @precondition(lambda self: self.packed())
    @rule(data=st.data())
    def uncompress(self, data: st.DataObject) -> None:
        each = one_of(self.packed(), data)
        each.path = self.remade(each.path, each.path.with_suffix(""), PACKINGS[each.path.suffix][1])

    @precondition(lambda self: any(log.rotated for log in self.logs))
    @rule(data=st.data())
    def delete_oldest(self, data: st.DataObject) -> None:
        log = one_of([log for log in self.logs if log.rotated], data)
        each = log.rotated.pop()
        log.deleted |= {line for line, number in log.written.items() if number == each.number}
        each.path.unlink()

    @precondition(lambda self: not self.is_running)
    @rule()
    def move_to_a_new_disk(self) -> None:
        for path in list((self.room / "logs").iterdir()):
            moved = self.room / "moved"
            shutil.copy2(path, moved)
            moved.replace(path)
        for log in self.logs:
            for each in log.rotated:
                each.is_renamed = False

    @precondition(lambda self: self.is_running)
    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0, GRACE + 1]))
    def turn(self, seconds: float) -> None:
        self.reader.turn(seconds)
        self.check()

    @precondition(lambda self: self.is_running)
    @rule(save=st.booleans(), is_confirmed=st.booleans())
    def stop(self, save: bool, is_confirmed: bool) -> None:
        if not is_confirmed:
            unconfirmed = self.reader.turn(1.0, confirm=False)
            self.check()
            for window in unconfirmed:
                if window.from_ == window.start:  # the router may never have had it, so nothing has to name it
                    self.sources.pop(window.source, None)
        self.reader.stop(save=save)
        self.is_running = False

    @precondition(lambda self: not self.is_running)
    @rule()
    def start(self) -> None:
        self.reader.start()
        self.is_running = True

    def remade(self, path: Path, new: Path, change: Callable[[bytes], bytes]) -> Path:
        new.write_bytes(change(path.read_bytes()))
        status = path.stat()
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.unlink()
        return new

    def check(self) -> None:
        """What was told is told once, and in order; the first window of a generation names the one before it."""
        told = self.reader.tell()
        for window in self.reader.firsts:
            line = next((each for each in window.data.splitlines(keepends=True) if not each.startswith(b"banner")), b"")
            which = next((place for place, log in enumerate(self.logs) if line in log.written), None)
            if which is not None and self.logs[which].scheme != "within":
                number = self.logs[which].written[line]
                before = {source for source, its in self.sources.items() if its[0] == which and its[1] < number}
                assert not before or (window.after and window.after[0] in self.sources), "a generation behind none"
                self.sources[window.source] = which, number
        self.reader.firsts.clear()
        for line in told:
            assert line not in self.told, "told twice"
            self.told.add(line)
            which = next(place for place, log in enumerate(self.logs) if line in log.written)
            log = self.logs[which]
            if line not in log.late:
                assert log.written[line] >= self.last[which], "a generation before the one before it"
                self.last[which] = log.written[line]

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        try:
            if not self.is_running:
                self.reader.start()
            for seconds in (1.0, 1.0, 1.0, 1.0, GRACE + 1, 1.0):
                self.reader.turn(seconds)
            self.check()
            for log in self.logs:
                missing = log.written.keys() - self.told - log.deleted
                assert not missing, f"{len(missing)} lost of {len(log.written)}: {sorted(missing)[:3]}"
            self.reader.stop()
        finally:
            shutil.rmtree(self.room)


TestFollowedLogs = FollowedLogs.TestCase
TestFollowedLogs.pytestmark = [pytest.mark.timeout(0)]  # type: ignore[attr-defined]
TestFollowedLogs.settings = settings(
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "40")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
