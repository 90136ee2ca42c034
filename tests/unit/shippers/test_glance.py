"""What lines tell at a glance is what severity and time find with all their forms."""

import json
from pathlib import Path

import pytest
from corpus import pool
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shippers.parsing.glance import glance
from shippers.parsing.severity import severity
from shippers.parsing.time import times

NOW = 1_795_352_400.0
CASES = Path(__file__).parents[4] / "shared" / "data" / "severity_cases.json"

_DATES = ["2026-11-22 12:00:00", "2026/02-30T25:00:00", "Nov 22 12:00:00", "Nov  2 12:00:00", "Feb 30 12:00:00"]
_FRAGMENTS = st.sampled_from(
    [
        *_DATES,
        *(f"[Sun {date} 2026] " for date in _DATES),
        *(f"[Sun {date}.123456 2026] " for date in _DATES),
        *(
            ".123",
            ",5",
            ".123456789",
            "Z",
            "+01:00",
            "+0100",
            " UTC ",
            " GMT+1",
            " ",
            "  ",
            "\t",
            "- ",
            "[4711] ",
            "]",
            "[",
        ),
        *(
            "INFO",
            "ERROR",
            "WARN ",
            "ERR:",
            "FOO ",
            "info",
            "[error] ",
            "[core:notice] ",
            "[php:fatal]",
            "[x:warn]",
            ": ",
        ),
        *(
            "host app[1]: ",
            "2026 ",
            "error",
            "0 errors",
            "failed",
            '"GET / HTTP/1.1" 500 ',
            "{",
            '{"level":"warn"}',
            "é",
        ),
    ]
)


def both(line: str) -> tuple[str, str, str, int]:
    """The simple way."""
    return *severity(line, "info"), *times([line], NOW)[0]


@given(st.lists(_FRAGMENTS | st.text(max_size=5), max_size=8).map("".join))
@settings(max_examples=1500, deadline=None)
@example("2026-11-22 12:00:00,5 - INFO x")
@example("2026-11-22 12:00:00 UTC INFO x")
@example("[Sun Nov 22 12:00:00.5 2026] [core:error] x")
@example("Nov 22 12:00:00 2019 host x")
@example("")
def test_at_a_glance_is_as_with_all_forms(line: str) -> None:
    told = glance([line], "info", NOW)
    assert list(zip(*told, strict=True)) == [both(line)]


def test_real_lines_at_a_glance() -> None:
    lines = [line.decode(errors="replace").rstrip("\r\n") for line in pool()]
    assert list(zip(*glance(lines, "info", NOW), strict=True)) == [both(line) for line in lines]


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here")
def test_shared_cases_at_a_glance() -> None:
    lines = [case["line"] for case in json.loads(CASES.read_text())]
    assert list(zip(*glance(lines, "info", NOW), strict=True)) == [both(line) for line in lines]
