"""The oracle must see whatever goes wrong: each wrong is done on purpose to what a real run has archived."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from faults.oracle import Archived, Verdict, judge
from faults.run import LINES, Run
from faults.watching import read_archive
from faults.writers import is_kept

Archive = list[Archived]


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Routed, and only to be looked at."""
    with closing(Run(tmp_path_factory.mktemp("routed"))) as run:
        run.route()
        yield run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Routed, to be changed."""
    with closing(Run(tmp_path)) as run:
        run.route()
        yield run


def wrongs(verdict: Verdict) -> dict[str, int]:
    return {kind: len(places) for kind, places in verdict.wrong.items() if places}


def test_what_is_right_is_found_right(routed: Run) -> None:
    verdict = routed.judge()
    assert wrongs(verdict) == {}
    assert LINES < verdict.written < 2 * LINES  # some were discarded


def without_a_batch(archive: Archive) -> Archive:
    return archive[:40] + archive[60:]


def with_a_line_repeated(archive: Archive) -> Archive:
    return [*archive[:40], archive[40], *archive[40:]]


def with_a_line_again_under_another_source(archive: Archive) -> Archive:
    source = archive[60].source
    return archive + [each._replace(source="minted anew") for each in archive if each.source == source][:40]


def with_two_swapped(archive: Archive) -> Archive:
    return [*archive[:40], archive[41], archive[40], *archive[42:]]


def with_a_byte_altered(archive: Archive) -> Archive:
    line = archive[40].line
    altered = line[:25] + bytes([line[25] ^ 1]) + line[26:]
    return [*archive[:40], archive[40]._replace(line=altered), *archive[41:]]


def with_a_position_moved(archive: Archive) -> Archive:
    return [*archive[:40], archive[40]._replace(pos=archive[40].pos + 1), *archive[41:]]


def with_an_end_moved(archive: Archive) -> Archive:
    return [*archive[:40], archive[40]._replace(end=archive[40].end + 1), *archive[41:]]


def with_a_line_that_nobody_wrote(archive: Archive) -> Archive:
    return [*archive, Archived("made up", 0, 5, b"what\n")]


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (without_a_batch, {"lost": 20}),
        (with_a_line_repeated, {"twice": 1, "out of order": 1}),
        (with_a_line_again_under_another_source, {"twice": 40}),
        (with_two_swapped, {"out of order": 1}),
        (with_a_byte_altered, {"altered": 1}),
        (with_a_position_moved, {"altered": 1, "lost": 1}),
        (with_an_end_moved, {"altered": 1}),
        (with_a_line_that_nobody_wrote, {"altered": 1}),
    ],
)
def test_what_is_wrong_is_found(routed: Run, wrong: Callable[[Archive], Archive], found: dict[str, int]) -> None:
    archive = read_archive(routed.directory / "archive")
    assert wrongs(judge(routed.journals, [wrong(archive)], is_kept)) == found


def test_a_discarded_line_in_the_archive_is_wrong(routed: Run) -> None:
    verdict = judge(routed.journals, [read_archive(routed.directory / "archive")], lambda line: b" INFO " in line)
    assert len(verdict.altered) > 0


def test_a_generation_before_the_one_before_it_is_out_of_order() -> None:
    journals = {f"web0.{number}": b"web0.%d 00000001 INFO x\n" % number for number in (1, 2)}
    archive = [Archived(f"source of {name}", 0, len(line), line) for name, line in journals.items()]
    assert wrongs(judge(journals, [archive], is_kept)) == {}
    assert wrongs(judge(journals, [archive[::-1]], is_kept)) == {"out of order": 1}


def test_what_the_router_counted_as_late_may_be_out_of_order(routed: Run) -> None:
    archive = with_two_swapped(read_archive(routed.directory / "archive"))
    verdict = judge(routed.journals, [archive], is_kept, {archive[40].source: 1})
    assert (wrongs(verdict), verdict.late) == ({}, 1)


def test_a_file_without_a_batch_is_found(run: Run) -> None:
    (path,) = (run.directory / "archive" / "web").rglob("*.gz")
    content = subprocess.run(["zcat", path], check=True, capture_output=True).stdout.splitlines(keepends=True)
    path.write_bytes(subprocess.run(["gzip"], input=b"".join(content[:-20]), check=True, capture_output=True).stdout)
    assert wrongs(run.judge()) == {"lost": 20}


def test_a_shipper_that_goes_on_beyond_what_it_read_is_found(run: Run) -> None:
    """Its saved position is moved over lines that it has never seen; under a name that the router waits for no more."""
    run.write()
    path = run.directory / "state/shipper/positions.json"
    state = json.loads(path.read_text())
    state["files"] = [_moved(file, Path(file["path"])) for file in state["files"]]
    path.write_text(json.dumps(state))
    run.write()
    run.route()
    verdict = run.judge()
    assert set(wrongs(verdict)) == {"lost"}
    assert LINES < len(verdict.lost) <= 2 * LINES


def _moved(file: dict[str, Any], path: Path) -> dict[str, Any]:
    """What is known of a file, as if it had been found only now and were to be read from its end."""
    size = path.stat().st_size
    return file | {
        "source": f"{file['source']}moved",
        "start": size,
        "confirmed": size,
        "tail": {"length": 0, "sha256": ""},
    }
