"""Globs -> files: each file once, none of ours, and no directory tree in which the search would not end."""

import os
from pathlib import Path

import pytest

from shippers.files.discovery import Directories, discover
from shippers.files.standing import LogFiles
from shippers.input import Input


def write(path: Path, content: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def found(*globs: str, excluded: tuple[Path, ...] = (), **settings: tuple[str, ...]) -> list[str]:
    discovery = discover([Input("app", globs, **settings)], [str(path) for path in excluded])  # type: ignore[arg-type]  # names of Input
    return sorted(path for file in discovery.files.values() for path in file.paths)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.log", "b.txt", ".hidden.log", "old.log.gz", "x/c.log", "x/y/d.log", "x/.z/e.log", "x/f[1].log"):
        write(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.log", ["a.log"]),
        ("a.log", ["a.log"]),
        (".*.log", [".hidden.log"]),
        ("*/*.log", ["x/c.log", "x/f[1].log"]),
        ("x/f[[]1].log", ["x/f[1].log"]),
        ("?.???", ["a.log", "b.txt"]),
        ("**/*.log", ["a.log", "x/c.log", "x/f[1].log", "x/y/d.log"]),
        ("**", ["a.log", "b.txt", "x/c.log", "x/f[1].log", "x/y/d.log"]),
        ("x/../*.log", ["a.log"]),
        ("a.log/*", []),
        ("nowhere/*.log", []),
        ("x", []),
    ],
)
def test_a_glob_finds(tree: Path, glob: str, expected: list[str]) -> None:
    assert found(f"{tree}/{glob}") == [str(tree / name) for name in expected]


def test_a_file_with_several_names_is_one_file(tmp_path: Path) -> None:
    real = write(tmp_path / "app.log")
    (tmp_path / "link.log").symlink_to(real)
    os.link(real, tmp_path / "hard.log")
    discovery = discover([Input("first", (f"{tmp_path}/*.log", str(real))), Input("second", (f"{tmp_path}/*",))])
    (file,) = discovery.files.values()
    assert file.origin.settings.service == "first"
    assert file.paths == [f"{tmp_path}/{name}" for name in ("app.log", "hard.log", "link.log")]


def test_links_in_a_ring_come_to_an_end(tmp_path: Path) -> None:
    write(tmp_path / "a" / "app.log")
    for name in ("one", "two", "three"):
        (tmp_path / "a" / name).symlink_to(tmp_path)
    assert found(f"{tmp_path}/**/*.log") == [f"{tmp_path}/a/app.log"]


def test_what_is_ours_is_never_followed(tmp_path: Path) -> None:
    ours = tmp_path / "state"
    kept = write(ours / "deep" / "kept.log")
    write(tmp_path / "app.log")
    write(tmp_path / "state-of-others" / "other.log")
    (tmp_path / "link.log").symlink_to(kept)
    (tmp_path / "archive").symlink_to(ours)
    (tmp_path / "deep").symlink_to(ours / "deep")
    assert discover([Input("app", (f"{ours}/none.log",))], [str(ours)]).vacant == {}
    paths = found(f"{tmp_path}/**/*.log", f"{tmp_path}/archive/deep/*", str(kept), excluded=(tmp_path / "archive",))
    assert paths == [f"{tmp_path}/app.log", f"{tmp_path}/state-of-others/other.log"]


def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "directory.log").mkdir()
    (tmp_path / "dangling.log").symlink_to(tmp_path / "nowhere")
    assert found(f"{tmp_path}/*.log") == []


def test_patterns_keep_files_out_by_name_or_by_path(tree: Path) -> None:
    assert found(f"{tree}/**/*.log", exclude=("a.*", "*/y/*")) == [f"{tree}/x/c.log", f"{tree}/x/f[1].log"]


def test_a_place_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.log"
    loop.symlink_to(loop)
    discovery = discover([Input("app", (str(loop),))])
    assert list(discovery.unreadable) == [str(loop)]


def test_the_place_of_a_single_file_is_vacant_while_it_is_not_there(tmp_path: Path) -> None:
    here = write(tmp_path / "here.log")
    globs = (str(here), f"{tmp_path}/away.log", f"{tmp_path}/*.txt", f"{tmp_path}/away.log.gz")
    assert list(discover([Input("app", globs)]).vacant) == [f"{tmp_path}/away.log"]


def test_rotated_files_stand_beside_a_log_and_beside_what_it_links_to(tmp_path: Path) -> None:
    rotated = {"app.log.1", "app.log-20261122", "app.log.2.gz", "app.log.old", "app.3.log"}
    elsewhere = tmp_path / "elsewhere"
    for name in (*rotated, "app.log", "app.logger", "app.log2", "app2.log.1", "other.log.1"):
        write(elsewhere / name)
    link = tmp_path / "app.log"
    link.symlink_to(elsewhere / "app.log")
    write(tmp_path / "app.log.4")
    directories = Directories()
    siblings = discover([Input("app", (str(link),))], (), directories).siblings
    assert {Path(each.path).name for each in siblings[str(elsewhere)]} == rotated
    assert {Path(each.path).name for each in siblings[str(tmp_path)]} == {"app.log.4"}


def test_a_directory_is_listed_again_when_it_has_changed(tmp_path: Path) -> None:
    log, directories = write(tmp_path / "app.log"), Directories()
    write(tmp_path / "app.log.1")
    os.utime(tmp_path, (1e9, 1e9))
    inputs = [Input("app", (str(log),))]
    assert [len(each) for each in discover(inputs, (), directories).siblings.values()] == [1]
    assert discover(inputs, (), directories).siblings == {}
    write(tmp_path / "app.log.2")
    assert [len(each) for each in discover(inputs, (), directories).siblings.values()] == [2]
    for path in tmp_path.iterdir():
        path.unlink()
    tmp_path.rmdir()
    assert discover(inputs, (), directories).siblings == {str(tmp_path): []}


def test_what_was_compressed_is_of_the_log_that_another_compressed_file_names(tmp_path: Path) -> None:
    for name in ("app-20261127.gz", "app.log.1.gz"):
        write(tmp_path / name)
    standing = LogFiles({})
    standing.note(discover([Input("app", (f"{tmp_path}/*",), "h", exclude=())]))
    assert standing.log_of(f"{tmp_path}/app-20261127.gz") == f"{tmp_path}/app.log"
    assert len(standing.of(f"{tmp_path}/app.log")) == 2
