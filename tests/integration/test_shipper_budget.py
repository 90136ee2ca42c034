"""More files than may be open: each is read in its turn, as if it had been open all the time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from shipping import Reader, add, lines

from logrouter.observability.events import FILE_GONE, FILE_REWRITTEN, INPUT_IN_TURN, INPUT_OPEN
from shippers.files.descriptors import open_all
from shippers.files.discovery import discover
from shippers.files.follow import GRACE

MOST, BEYOND = 4, 8
FILES = 15


class Crowd(Reader):
    """Reads `FILES` files of which `MOST` may be open."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, most_open=MOST, **settings)

    def path(self, number: int) -> Path:
        return self.logs / f"{number:02}.log"

    def write(self, first: int, last: int) -> None:
        for number in range(FILES):
            add(self.path(number), b"%d\n" % number + lines(first, last))

    def turns(self, count: int = 2 * FILES) -> None:
        """As many as each file may need, and never more open than may be."""
        for _ in range(count):
            self.turn()
            assert len(self.open_files) <= MOST + BEYOND


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    return Crowd(tmp_path)


def expected(*spans: tuple[int, int]) -> list[bytes]:
    return sorted(b"".join(b"%d\n" % number + lines(*span) for span in spans) for number in range(FILES))


def test_each_is_read_once_and_goes_on_where_it_was(crowd: Crowd) -> None:
    said, ended, gone = INPUT_IN_TURN.count(), INPUT_OPEN.count(), FILE_GONE.count()
    crowd.write(0, 10)
    crowd.turns()
    assert sorted(crowd.contents) == expected((0, 10))
    crowd.write(10, 20)
    crowd.turns()
    crowd.stop()
    crowd.start()
    crowd.write(20, 30)
    crowd.turns()
    assert sorted(crowd.contents) == expected((0, 10), (10, 20), (20, 30))
    assert sum(window.to - window.from_ for window, _ in crowd.windows) == sum(map(len, crowd.contents))
    assert (INPUT_IN_TURN.count(), INPUT_OPEN.count()) == (said + 2, ended)  # once by each process
    for number in range(MOST, FILES):
        crowd.path(number).unlink()
    crowd.turns()
    assert INPUT_OPEN.count() == ended + 1
    crowd.turns(1)
    assert FILE_GONE.count() > gone


def test_those_that_hold_nothing_new_are_not_opened_again(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.write(0, 10)
    crowd.turns()
    opened: list[str] = []
    real = os.open

    def watched(path: str, *arguments: int) -> int:
        opened.append(path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", watched)
    closed = next(number for number in range(FILES) if str(crowd.path(number)) not in crowd.open_files)
    add(crowd.path(closed), b"more\n")
    crowd.turns()
    assert len(crowd.open_files) == MOST
    assert [path for path in opened if str(path).endswith(".log")] == [str(crowd.path(closed))]


def test_what_is_renamed_truncated_or_replaced_while_it_is_closed(crowd: Crowd) -> None:
    rewritten = FILE_REWRITTEN.count()
    crowd.write(0, 10)
    crowd.turns()
    one, two, three = [crowd.path(n) for n in range(FILES) if str(crowd.path(n)) not in crowd.open_files][:3]
    add(one, b"last words\n")
    one.rename(f"{one}.1")
    add(one, b"anew\n")
    two.write_bytes(b"truncated\n")
    three.unlink()
    add(three, b"another\n")
    crowd.turns()
    found = crowd.contents
    whole = {path: b"%d\n" % int(path.stem) + lines(0, 10) for path in (one, two, three)}
    assert whole[one] + b"last words\n" in found
    assert {b"anew\n", b"truncated\n", b"another\n", whole[two], whole[three]} <= set(found)
    assert len(found) == FILES + 3
    assert FILE_REWRITTEN.count() == rewritten


def test_rotation_of_all_at_once_leaves_nothing_unread(crowd: Crowd) -> None:
    """What is renamed is found beside where it was, opened only if there is news in it, and let go of after a while."""
    gone = FILE_GONE.count()
    crowd.write(0, 10)
    crowd.turns()
    for number in range(FILES):
        crowd.path(number).rename(f"{crowd.path(number)}.1")
        if number % 2:
            add(Path(f"{crowd.path(number)}.1"), b"last words\n")
        add(crowd.path(number), b"anew\n")
    crowd.turns(4 * FILES)
    last = [b"last words\n" if number % 2 else b"" for number in range(FILES)]
    whole = sorted(b"%d\n" % number + lines(0, 10) + last[number] for number in range(FILES))
    assert sorted(crowd.contents) == sorted([*whole, *[b"anew\n"] * FILES])
    crowd.turn(2 * GRACE)
    crowd.turns()
    assert len(crowd.open_files) <= MOST
    unfinished = [saved for saved in crowd.files.state().files if not saved.done]
    assert {Path(saved.path).suffix for saved in unfinished} == {".log"}
    assert FILE_GONE.count() == gone


def test_a_file_that_waits_at_the_first_start_begins_as_is_set(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, read_from=12)
    crowd.write(0, 10)
    crowd.turns()
    assert crowd.contents == [lines(9, 10)] * FILES
    add(crowd.logs / "new.log", lines(0, 3))
    crowd.turns()
    assert sorted(crowd.contents) == sorted([lines(9, 10)] * FILES + [lines(0, 3)])


def test_files_without_content_without_an_end_and_unreadable_ones_hold_nobody_up(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refused(path: str, *arguments: int) -> int:
        if "refused" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", refused)
    for number in range(2 * MOST):
        add(crowd.logs / f"0-empty-{number}.log", b"")
        add(crowd.logs / f"0-begun-{number}.log", b"half a line")
        add(crowd.logs / f"0-refused-{number}.log", b"x\n")
    crowd.write(0, 10)
    crowd.turns(4 * FILES)
    assert sorted(crowd.contents) == expected((0, 10))
    monkeypatch.undo()
    for number in range(2 * MOST):
        add(crowd.logs / f"0-empty-{number}.log", b"full\n")
        add(crowd.logs / f"0-begun-{number}.log", b", and its end\n")
    crowd.turns(4 * FILES)
    assert crowd.contents.count(b"full\n") == 2 * MOST
    assert crowd.contents.count(b"half a line, and its end\n") == 2 * MOST
    assert crowd.contents.count(b"x\n") == 2 * MOST


def test_a_file_waits_until_it_has_been_opened(crowd: Crowd) -> None:
    """A drain looks for what waits at any moment, also while files are being opened."""
    crowd.write(0, 10)
    found = discover(crowd.inputs)
    wanted = crowd.files.wanted(found, crowd.now)
    assert len(wanted) == MOST
    assert crowd.files.budget.waiting == found.files.keys()
    crowd.files.apply(found, crowd.now, open_all({each.inode: each.path for each in wanted[1:]}))
    assert crowd.files.budget.waiting == found.files.keys() - {each.inode for each in wanted[1:]}


def test_what_is_not_confirmed_stays_open(crowd: Crowd) -> None:
    crowd.write(0, 10)
    for _ in range(5):
        crowd.turn(confirm=False)
    assert len(crowd.windows) == MOST
