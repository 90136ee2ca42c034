"""What lines tell at a glance is what severity and time find with all their forms."""

import json

from corpus import pool
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared import SHARED, needs_shared

from shippers.parse.severity.bulk import parse_lines
from shippers.parse.severity.levels import MYSQL, NAMES, POSTGRES, SHORT
from shippers.parse.severity.prefilter import severities
from shippers.parse.severity.severity import severity
from shippers.parse.timestamp.line import times

NOW = 1_795_352_400.0
CASES = SHARED / "data" / "severity_cases.json"

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
        *("api.log.1.2017-05-16_13:53:08 ", "ab12:30:00 ", "web ", "error.log ", "warn: ", "x2026-11-22T12:00:00 "),
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


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=5)
_LINE = st.lists(_FRAGMENTS | _TEXT, max_size=8).map("".join)


@given(st.lists(_LINE, min_size=1, max_size=6))
@settings(max_examples=500, deadline=None)
@example(["2026-11-22 12:00:00,5 - INFO x", "", "2026-11-22 12:00:00\r", "0815 471 WARN 12:00:00", "Nov 22 12:00:00 x"])
@example(["2026-11-22 12:00:00 UTC INFO x"])
@example(["[Sun Nov 22 12:00:00.5 2026] [core:error] x", "[Sun Nov 22 12:00:00 2026] [note] x", "PHP Fatal error: x"])
@example(
    ["Nov 22 12:00:00 2019 host x", "Nov 22 12:00:00 h", "Nov 2 12:00:00 2 error: x", "Nov 22 12:00:00 a \xb4INFO"]
)
@example(
    [
        "web.1 2026-11-22 12:00:00.5 25746 INFO x",
        "",
        "web 2026-11-22 12:00:00 INFO: x",
        "error 2026-11-22 12:00:00 INFO x",
    ]
)
@example(
    ["api.2017-05-16_13:53:08 2026-11-22 12:00:00 DEBUG x", "web 2026-11-22 12:00:00 0 ERROR x", "web 2026-11-22 INFO "]
)
@example(["ab12:30:00 2026-11-22 12:00:00 INFO x", "ab2017-05-16T13:53:08 2026-11-22 12:00:00 INFO x"])
@example(["[2026-11-22 12:00:00] WARNING x", "[2026-11-22 12:00:00] INFO y"])
@example(["----- INFO start", "[x] y"])
@example([""])
def test_at_a_glance_is_as_with_all_forms(lines: list[str]) -> None:
    assert list(zip(*parse_lines(lines, "info", NOW), strict=True)) == [both(line) for line in lines]


_WORDED = st.sampled_from(
    [
        *(form for word in (*NAMES, *SHORT, *POSTGRES, *MYSQL) for form in (word, word.upper(), word.title())),
        *(" ", ": ", "[", "]", ":  ", "/", "=", '"', "1", "\x1b[31m", "é", "\u2028", "<3>", "(", "{", '{"level":"'),
        *(
            "Traceback (most recent call last)",
            "Uncaught ",
            "Caused by: ",
            "a.BError: ",
            "CException",
            "D [22/",
            "-" * 60,
        ),
    ]
)


@given(st.lists(st.lists(_WORDED | _TEXT, max_size=5).map("".join), max_size=9))
@settings(max_examples=600, deadline=None)
@example(["DEBUG1:  x", "a", "5error: x", "_error", "Err: x", "a Err]", "STATEMENT:  x", "x LOG:  y"])
@example(
    [
        "dbug: x",
        "",
        "[Server:System] x",
        *["-"] * 9,
        "a [Note] x",
        "I, [2026",
        "D/Tag( 12): x",
        "E: Unable",
        "W1122 10:00:00",
    ]
)
def test_lines_that_say_nothing_are_passed_over_and_no_others(lines: list[str]) -> None:
    assert severities(lines, "notice") == [severity(line, "notice") for line in lines]


def test_real_lines_at_a_glance() -> None:
    lines = [line.decode(errors="replace").rstrip("\r\n") for line in pool()]
    for number in range(0, len(lines), 50):
        some = lines[number : number + 50]
        assert list(zip(*parse_lines(some, "info", NOW), strict=True)) == [both(line) for line in some]


@needs_shared
def test_shared_cases_at_a_glance() -> None:
    lines = [case["line"].partition("\n")[0] for case in json.loads(CASES.read_text())]
    assert list(zip(*parse_lines(lines, "info", NOW), strict=True)) == [both(line) for line in lines]
