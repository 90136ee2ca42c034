"""Many sources become one in order, however few may be open at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.cli.merge import SortedSource, in_order
from logrouter.destinations.archive.reader import StoredRecord
from logrouter.errors import LogrouterError


class Opened:
    """How many sources are open, and the most that were."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def source(self, number: int, times: list[int]) -> SortedSource:
        return SortedSource(f"{times[0]:03}", lambda: self._read(number, times))

    def _read(self, number: int, times: list[int]) -> Iterator[StoredRecord]:
        self.now += 1
        self.most = max(self.most, self.now)
        for place, time in enumerate(times):
            yield StoredRecord(f"{time:03}", b"%d.%d" % (number, place), None)
        self.now -= 1


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8).map(sorted), max_size=30), st.integers(4, 8))
def test_all_are_there_by_time_each_in_its_own_order_and_few_are_open(times: list[list[int]], most: int) -> None:
    opened = Opened()
    found = list(in_order([opened.source(*each) for each in enumerate(times)], most))
    assert [each.time for each in found] == sorted(f"{time:03}" for each in times for time in each)
    for number, each in enumerate(times):
        own = [int(line.split(b".")[1]) for _, line, _ in found if line.split(b".")[0] == b"%d" % number]
        assert own == list(range(len(each)))
    assert opened.most <= most


def test_what_does_not_overlap_is_open_one_at_a_time_and_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", _refuse)
    opened = Opened()
    sources = [opened.source(number, [2 * number, 2 * number + 1]) for number in range(100)]
    assert len(list(in_order(sources[::-1], 4))) == 200
    assert opened.most == 1


@pytest.mark.parametrize("refused", [tempfile.TemporaryFile, os.access])
def test_no_room_for_a_file_is_said_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[..., object], tmp_path: Path
) -> None:
    if refused is os.access:
        monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    else:
        monkeypatch.setattr(tempfile, "TemporaryFile", _refuse)
    opened = Opened()
    with pytest.raises(LogrouterError, match=r"cannot merge so many files in /\S+: No ") as caught:
        list(in_order([opened.source(number, [0, 1]) for number in range(5)], 4))
    assert "TMPDIR" in caught.value.remedy


def _refuse(**_: object) -> None:
    raise OSError(28, os.strerror(28))
