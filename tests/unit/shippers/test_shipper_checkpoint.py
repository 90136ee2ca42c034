"""Checkpoints on disk: what was saved comes back, and what cannot be read is kept, said, and never fatal."""

import json
import os
import stat
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.errors import StateError
from logrouter.observability.events import STATE_BROKEN, STATE_CLONED
from shippers.files.checkpoint import VERSION, Checkpoint, Checkpoints, State
from shippers.files.fingerprint import Mark

SAVED = Checkpoint(
    "0123456789abcdef", "/var/log/app.log", 1, 2, 10, 500, "/var/log/*.log", Mark(9, "ab"), Mark(256, "cd")
)

paths = st.binary(min_size=1).map(os.fsdecode)
numbers = st.integers(0, 2**63)
saved = st.builds(
    lambda path, start, more, device, inode, done: Checkpoint(
        "s", path, device, inode, start, start + more, path, Mark(3, "ab"), done=done
    ),
    paths,
    numbers,
    numbers,
    numbers,
    numbers,
    st.booleans(),
)


def reopened(directory: Path, machine: str = "m") -> Checkpoints:
    positions = Checkpoints(directory, machine)
    positions.close()
    return positions


def save(directory: Path, files: list[Checkpoint], machine: str = "m") -> None:
    positions = Checkpoints(directory, machine)
    positions.save(State(files, ["/a/*", "/b"], 1.5))
    positions.close()


@settings(deadline=None)  # it waits for the disk
@given(st.lists(saved, max_size=5))
def test_what_was_saved_comes_back(files: list[Checkpoint]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        save(Path(directory), files)
        again = reopened(Path(directory))
        assert again.reporter
        assert again.state == State(files, ["/a/*", "/b"], 1.5, "m", again.reporter)


@settings(deadline=None)  # it waits for the disk
@given(st.lists(st.lists(saved, max_size=3), min_size=2, max_size=4), st.data())
def test_the_last_save_counts_whatever_has_moved(saves: list[list[Checkpoint]], data: st.DataObject) -> None:
    """A source may be the same object, an equal one or another, as its file stood still or moved."""
    with tempfile.TemporaryDirectory() as directory:
        positions = Checkpoints(Path(directory), "m")
        kept: list[Checkpoint] = []
        for files in saves:
            kept = [*(each for each in kept if data.draw(st.booleans())), *files]
            positions.save(State(kept))
        positions.close()
        assert reopened(Path(directory)).state.files == kept


def test_nobody_else_can_read_the_state(tmp_path: Path) -> None:
    save(tmp_path / "state", [SAVED])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert modes == {"positions.json": 0o600, "shipper.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_two_shippers_cannot_share_a_state_directory(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path, "m")
    with pytest.raises(StateError, match=f"held by process {os.getpid()}; .*--state"):
        Checkpoints(tmp_path, "m")
    first.close()
    reopened(tmp_path)


@pytest.mark.parametrize(
    "content",
    ['{"offs":', "", "[]", '{"files": [{"source": 7}]}', "\xff", "[" * 100_000, '{"version": "x"}'],
)
def test_a_broken_file_is_set_aside_and_all_is_read_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "positions.json"
    said = STATE_BROKEN.count()
    for number in (1, 2):
        path.write_bytes(content.encode("latin-1"))
        positions = reopened(tmp_path)
        assert positions.lost
        assert positions.state.files == []
        assert (tmp_path / f"positions.json.broken-{number}").read_bytes() == content.encode("latin-1")
    assert STATE_BROKEN.count() == said + 2


def test_positions_that_cannot_be_are_a_broken_file(tmp_path: Path) -> None:
    save(tmp_path, [SAVED])
    document = json.loads((tmp_path / "positions.json").read_text())
    document["files"][0]["confirmed"] = -5
    (tmp_path / "positions.json").write_text(json.dumps(document))
    assert reopened(tmp_path).lost


def test_a_file_of_an_older_version_keeps_its_positions(tmp_path: Path) -> None:
    older = {name: value for name, value in asdict(SAVED).items() if name not in ("glob", "prefix", "tail", "done")}
    (tmp_path / "positions.json").write_text(json.dumps({"version": 0, "machine": "m", "files": [older]}))
    positions = reopened(tmp_path)
    assert not positions.lost
    assert positions.state.files == [Checkpoint(SAVED.source, SAVED.path, 1, 2, 10, 500)]


def test_a_file_with_fields_not_known_here_is_read(tmp_path: Path) -> None:
    save(tmp_path, [SAVED])
    document = json.loads((tmp_path / "positions.json").read_text())
    document["colour"] = document["files"][0]["colour"] = "blue"
    (tmp_path / "positions.json").write_text(json.dumps(document))
    assert reopened(tmp_path).state.files == [SAVED]


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    content = json.dumps({"version": VERSION + 1, "files": "in some new shape"})
    (tmp_path / "positions.json").write_text(content)
    for _ in range(2):  # the lock was given back too
        with pytest.raises(StateError, match=f"version {VERSION + 1}.*--state"):
            Checkpoints(tmp_path, "m")
    assert (tmp_path / "positions.json").read_text() == content


def test_a_copy_on_another_machine_goes_on_under_new_sources(tmp_path: Path) -> None:
    save(tmp_path, [SAVED], machine="original")
    said = STATE_CLONED.count()
    (renamed,) = reopened(tmp_path, machine="copy").state.files
    assert renamed.source != SAVED.source
    assert (renamed.start, renamed.confirmed, renamed.path) == (500, 500, SAVED.path)
    assert STATE_CLONED.count() == said + 1
    assert reopened(tmp_path, machine="copy").state.files == [renamed]  # once, and it is durable
