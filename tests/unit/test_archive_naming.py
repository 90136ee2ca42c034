"""Archive paths stay below their directory whatever the names are, and different names stay apart."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.config.templates import template_problem
from logrouter.destinations.archive.path_template import Names, final_name, open_name, path_of, segment_of

TEMPLATE = "{service}/{host}/{date}.jsonl.gz"
names = st.builds(Names, st.text(), st.text(), st.just("info"), st.just("2026-11-22"))


@given(names)
def test_no_name_leaves_the_directory(named: Names) -> None:
    path = PurePosixPath(path_of(TEMPLATE, named))
    assert len(path.parts) == 3
    assert not path.is_absolute()
    assert not any(part.startswith(".") or "\0" in part or len(part) > 230 for part in path.parts)


@given(names, names)
def test_different_names_have_different_paths(one: Names, other: Names) -> None:
    assert (path_of(TEMPLATE, one) == path_of(TEMPLATE, other)) == (one == other)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx1.example.org", "mx1.example.org"),
        ("../../etc/x", "%2E.%2F..%2Fetc%2Fx"),
        ("", "%"),
        ("a b+c", "a%20b%2Bc"),
        ("ä", "%C3%A4"),
    ],
)
def test_hosts(host: str, expected: str) -> None:
    assert path_of("{host}/x", Names("s", host, "info", "2026-11-22")) == f"{expected}/x"


def test_dates_are_taken_apart() -> None:
    assert path_of("{year}/{month}/{day}.log", Names("s", "h", "info", "2026-11-22")) == "2026/11/22.log"


@pytest.mark.parametrize(
    ("path", "segment", "expected_open", "expected_final"),
    [
        ("a/2026-11-22.jsonl.gz", 1, "a/2026-11-22+open.jsonl.gz", "a/2026-11-22.jsonl.gz"),
        ("a/2026-11-22.jsonl.gz", 3, "a/2026-11-22+3+open.jsonl.gz", "a/2026-11-22+3.jsonl.gz"),
        ("mx1.log.zst", 2, "mx1+2+open.log.zst", "mx1+2.log.zst"),
        ("plain", 2, "plain+2+open", "plain+2"),
    ],
)
def test_names_of_segments(path: str, segment: int, expected_open: str, expected_final: str) -> None:
    assert open_name(path, segment) == expected_open
    assert final_name(path, segment) == expected_final
    assert segment_of(expected_open) == segment_of(expected_final) == (path, segment)


@pytest.mark.parametrize(
    ("template", "says"),
    [("{colour}.gz", "{colour} is not a placeholder"), ("/x", "relative"), ("../x", "relative"), ("", "relative"),
     ("a+b", "`+`, which marks")],
)  # fmt: skip
def test_templates_that_cannot_be(template: str, says: str) -> None:
    assert says in (template_problem(template) or "")


def test_the_default_template_is_fine() -> None:
    assert template_problem(TEMPLATE) is None
