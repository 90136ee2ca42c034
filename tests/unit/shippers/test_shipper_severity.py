"""Severities: where levels stand they are stated, grave words in running text are guessed, the rest is the input's."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import SHARED, needs_shared

from logrouter.wire.routing_key import SEVERITIES
from shippers.parse.severity import words
from shippers.parse.severity.severity import severity

CASES = SHARED / "data" / "severity_cases.json"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2015-07-29 17:41:44,747 - INFO  [QuorumPeer] - Notification", "info"),
        ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6", "error"),
        ("[Tue Apr 04 06:18:29 2017] [mpm_prefork:notice] [pid 1] configured", "notice"),
        ("<Warning> disk is nearly full", "warning"),
        ("sshd[24200]: error: Received disconnect", "error"),
        ("fatal: not a git repository", "crit"),
        ("ts=1 level=warn msg=x", "warning"),
        ('ts=1 severity="CRITICAL" msg=x', "crit"),
        ('{"msg": "ERROR in text", "level": "debug"}', "debug"),
        ('{"level": 50, "msg": "bunyan"}', "error"),
        ('{"severity": "4"}', "warning"),
        ('{"log.level": "Fatal"}', "crit"),
        ("2026-11-22T13:00:00Z PANIC: all is lost", "emerg"),
        ("E1122 13:00:00.000000    1 main.go:12] failed", "error"),
        ("11-22 13:00:00.000  1234  1234 W ActivityManager: slow", "warning"),
        ("I [22/Nov/2010:17:37:40 -0400] Listening", "info"),
    ],
)
def test_a_level_is_stated(line: str, expected: str) -> None:
    assert severity(line, "notice") == (expected, "stated")


@pytest.mark.parametrize(
    "line",
    [
        "0 errors, 0 warnings",
        "finished with no error",
        "compiled with 0 error found",
        "No ERROR was found",
        "error_code=0 done",
        "error=nil request=7",
        "GET /error/index.html",
        "see error.log and error-pages",
        "terrors and informations",
        "debug mode is on, for more info see the notice",
        '{"error": null, "msg": "x"}',
        '{"msg": "ERROR"}',
        '{"level": true}',
        "x" * 200 + " ERROR",
        "",
        "A day like any other",
    ],
)
def test_a_line_that_states_no_level_has_the_default_of_its_input(line: str) -> None:
    assert severity(line, "notice") == ("notice", "default")


@pytest.mark.parametrize(
    ("line", "expected"),
    [("an error occurred while reading", "error"), ("got a fatal signal", "crit"), ("Warning nobody saw", "warning")],
)
def test_a_grave_word_in_running_text_is_a_guess(line: str, expected: str) -> None:
    assert severity(line) == (expected, "guessed")


def test_a_stated_level_goes_before_a_guess() -> None:
    assert severity("an error was seen, says INFO of main") == ("info", "stated")


def test_a_block_has_the_severities_of_its_lines() -> None:
    assert severity("ERROR x", "debug") == ("error", "stated")
    assert severity("y", "debug") == ("debug", "default")


SNIPPETS = (
    *("error", "ERROR", "Fatal", "0 ", "no ", "LOG:  ", "[", "] ", '] "', '" 5', "00 ", ": ", "=", ".", "/", " - "),
    *("2026-11-22T13:00:00Z ", "13:00:00,1 ", "stdout F ", "(0x0040): ", "\x1b[31m", "<3>", "<999>", "level=", "user."),
    *("PHP ", "E1122 ", "\u00e9", "\u0665"),
)


@given(
    st.one_of(
        st.text(),
        st.text().map("{}".__add__),
        st.from_regex(r"\{\"level\": ?(\"\w*\"|-?\d{1,400}|\[{0,9}|1e999)\}?"),
        st.from_regex(
            r"\A([\[(<]?(\d{1,4}[-/:., T]){0,7}|[EWd(<]\d{0,8}|\d:[XM] \d\d Nov \d\d:\d\d:\d\d)"
            r" ?[\[#.*]?\w{0,9}[\]:/(]? ?"
        ),
        st.lists(st.sampled_from(SNIPPETS), max_size=8).map("".join),
        st.sampled_from(['{"a":' + "[" * 100_000, '{"level":"' + "9" * 5000 + '"}']),
    )
)
def test_no_line_raises(line: str) -> None:
    found, origin = severity(line)
    assert found in SEVERITIES
    assert origin in ("stated", "guessed", "default")
    assert severity(line, "info") == (found, origin)


_BEFORE = st.lists(
    st.sampled_from(
        [
            *(
                "no ",
                "NOT ",
                "(0 ",
                "without ",
                "any ",
                "errors ",
                "or ",
                "PHP ",
                "PHP Fatal",
                "1PM ",
                "12Z",
                "9 UTC",
                "x",
            ),
            *(" ", "\t", "\x0b", "\x1f", "\u2028", ": ", "] ", "-", "_", ".", "é", "\u017f", "7"),
        ]
    )
).map("".join)


@given(_BEFORE)
@settings(max_examples=600)
def test_what_is_seen_without_a_search_is_what_a_search_finds(before: str) -> None:
    assert words._is_open(before) == (words._OPEN.search(before) is not None)
    assert bool(words._negation(before)) == (words._NEGATED.search(before) is not None)


@needs_shared
def test_nearly_all_public_cases_are_read_as_their_formats_say() -> None:
    names = {"err": ("error",), "crit-or-above": ("emerg", "alert", "crit")}
    cases = json.loads(CASES.read_text())
    others = [
        f"{case['format']}: {found}, not {case['syslog_severity']}: {case['line'][:100]}"
        for case in cases
        if (found := severity(case["line"])[0]) not in names.get(case["syslog_severity"], (case["syslog_severity"],))
    ]
    assert len(others) <= 0.05 * len(cases), "\n".join(others)
