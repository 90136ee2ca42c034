"""What the kernel is asked to tell, and what is made of it."""

import errno
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
from shipping import Reader, add, lines

from shippers.files import inotify
from shippers.files.discovery import discover
from shippers.files.inotify import Inotify
from shippers.files.watches import News, Watches
from shippers.input import Input

QUIET = (0, 0)


@pytest.fixture
def watches() -> Iterator[Watches]:
    watches = Watches.of_this_system()
    assert watches.fd is not None
    yield watches
    watches.close()


def test_a_file_is_told_of_once_however_often_it_changes(tmp_path: Path, watches: Watches) -> None:
    with (tmp_path / "app.log").open("ab", buffering=0) as file:
        watches.watch(file.fileno(), QUIET)
        file.write(b"a")
        file.write(b"b")
        assert watches.news() == News([QUIET])
        file.write(b"c")
        assert watches.fd is not None
        assert select.select([watches.fd], [], [], 0) == ([], [], [])
        watches.watch(file.fileno(), QUIET)
        file.write(b"d")
        assert watches.news() == News([QUIET])


def test_a_file_that_is_forgotten_is_not_told_of(tmp_path: Path, watches: Watches) -> None:
    with (tmp_path / "app.log").open("ab", buffering=0) as file:
        watches.watch(file.fileno(), QUIET)
        watches.forget(QUIET)
        file.write(b"a")
        watches.watch(file.fileno(), QUIET)
        file.write(b"b")
        watches.forget(QUIET)
        assert watches.news() == News()


def test_directories_are_told_of_by_the_names_that_matter(tmp_path: Path, watches: Watches) -> None:
    wanted = {str(tmp_path): {"*.log", "messages"}, f"{tmp_path}/none": {"*"}}
    assert not watches.look_at(wanted)  # it was listed before it was watched
    assert watches.look_at(wanted)
    add(tmp_path / "app.tmp", b"x")
    assert watches.news() == News()
    for name in ("app.log", "messages"):
        add(tmp_path / name, b"x")
        assert watches.news() == News([], is_elsewhere=True)
        add(tmp_path / name, b"x")
        assert watches.news() == News()
        (tmp_path / name).chmod(0o600)
        assert watches.news() == News([], is_elsewhere=True)
        (tmp_path / name).rename(tmp_path / "renamed")
        assert watches.news() == News([], is_elsewhere=True)
    assert watches.look_at({})
    add(tmp_path / "app.log", b"x")
    assert watches.news() == News()


def test_a_directory_of_another_machine_is_not_relied_upon(
    tmp_path: Path, watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net").mkdir()
    is_local = inotify.is_local
    monkeypatch.setattr(inotify, "is_local", lambda path: not path.endswith("/net") and is_local(path))
    for _ in range(2):
        assert not watches.look_at({str(tmp_path): {"*"}, f"{tmp_path}/net": {"*"}})
    assert watches.look_at({str(tmp_path): {"*"}})


def test_what_is_on_disk_is_local_and_what_the_kernel_makes_up_is_not(tmp_path: Path) -> None:
    assert inotify.is_local(str(tmp_path))
    assert not inotify.is_local("/proc/self")
    assert not inotify.is_local(f"{tmp_path}/none")


def test_a_file_that_changes_without_growing_is_watched_again_by_the_next_look(
    tmp_path: Path, watches: Watches
) -> None:
    reader = Reader(tmp_path, watches=watches)
    add(reader.log, lines(0, 10))
    reader.turn()
    reader.turn()
    with reader.log.open("r+b") as file:
        file.write(b"line")
    for _ in range(2):
        (changed,) = watches.news().changed
        reader.files.wake([changed])
        reader.now += 5.0
        reader.lap()
        assert not len(reader.files.turns)
        reader.files.look(reader.now)
        with reader.log.open("r+b") as file:
            file.write(b"line")


def test_where_no_more_can_be_watched_it_is_tried_once_a_scan(
    tmp_path: Path, watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refused(_: Inotify, path: str, mask: int) -> int:
        asked.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Inotify, "watch", refused)
    for scan in range(1, 4):
        assert not watches.look_at({str(tmp_path): {"*"}})
        for fd in range(100):
            watches.watch(fd, (0, fd))
        assert asked == scan * [str(tmp_path)]


def test_without_a_kernel_nothing_is_told(tmp_path: Path) -> None:
    watches = Watches()
    watches.watch(0, QUIET)
    watches.forget(QUIET)
    assert not watches.look_at({str(tmp_path): {"*"}})
    assert (watches.news(), watches.fd) == (News(), None)
    watches.close()


def test_what_is_wanted_is_each_directory_on_the_way_and_where_links_lead(tmp_path: Path) -> None:
    for directory in ("logs/a", "logs/state", "real", "real-directory"):
        (tmp_path / directory).mkdir(parents=True)
    add(tmp_path / "real" / "x", b"x")
    (tmp_path / "logs" / "x.log").symlink_to(tmp_path / "real" / "x")
    (tmp_path / "logs" / "b").symlink_to(tmp_path / "real-directory")
    globs = (f"{tmp_path}/logs/*.log", f"{tmp_path}/logs/*/*.txt", f"{tmp_path}/none/app.log")
    wanted = discover([Input("app", globs)], [f"{tmp_path}/logs/state"]).wanted
    names = {
        path.removeprefix(str(tmp_path)): names for path, names in wanted.items() if path.startswith(str(tmp_path))
    }
    assert names == {
        "": {"logs", "none", "real-directory"},
        "/logs": {"*.log", "*"},
        "/logs/a": {"*.txt"},
        "/logs/b": {"*.txt"},
        "/none": {"app.log"},
        "/real": {"x"},
        "/logs/x.log": {"*.txt"},
    }
    assert wanted["/"] == {tmp_path.parts[1]}
