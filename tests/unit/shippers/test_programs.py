"""Programs of many lines at one look are those that each line names by itself."""

from corpus import pool
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared import needs_shared

from shippers.parse.syslog import program, programs

_STAMP = st.sampled_from(
    [
        *("Nov 22 12:00:00", "Nov  2 12:00:00", "Nov 22 12:00:00.5", "Nov 22 12:00:00 2026", "Nov 22 12:00:00 UTC"),
        *("2026-11-22T12:00:00Z", "2026-11-22T12:00:00.123456+01:00", "2026-11-22T12:00:00", "2026-11-22 12:00:00Z"),
        *("Sun Nov 22 12:00:00", "Nov 99 99:99:99", "1795352400", ""),
    ]
)
_WORD = st.sampled_from(
    [
        *("web-1", "10.0.0.1", "UTC", "Z", "message", "last", "repeated", "Message forwarded from h2:", "-- MARK --"),
        *("2026", "2026:", "UTC:", "CET", "-0500:", "+01:00", "--", "MARK:", "-- MARK:", "%SYS-5-CONFIG_I:"),
        *("sshd[4711]:", "sshd:", "sshd", "sshd[4711]", "[1]:", "a[]:", "a[b]c]:", "CRON[1]:x", "error", "err", "é:"),
        *("postfix/smtpd[1]:", "(systemd):", "kernel:", "a\r:", "\x0c", "\u2028:", "<13>", "<13>1 - h a p - -"),
    ]
)
_LINE = st.builds(
    lambda stamp, words, gap: gap.join([stamp, *words]),
    _STAMP,
    st.lists(_WORD | st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=4), max_size=5),
    st.sampled_from([" ", " ", " ", "  "]),
)


@given(st.lists(_LINE, min_size=1, max_size=6))
@settings(max_examples=600, deadline=None)
@example(["Nov 22 12:00:00 last message repeated: 3 times", "Nov 22 12:00:00 message repeated: x"])
@example(["Nov 22 12:00:00 h err sshd[1]: x", "Nov 22 12:00:00 h sshd:", "Nov 22 12:00:00 h sshd:x", "<13>a: b"])
@example(["Nov 22 12:00:00 2026 UTC: %SYS-5-CONFIG_I: x", "Nov 22 12:00:00 CET 2026: sshd[1]: x"])
@example(["Nov 22 12:00:00 2026 -0500: app: x", "Nov 22 12:00:00 -- MARK: x"])
@example([""])
def test_at_one_look_and_one_by_one(lines: list[str]) -> None:
    assert programs(lines) == [program(line) for line in lines]


@needs_shared
def test_of_real_lines() -> None:
    lines = [line.decode(errors="replace").rstrip("\r\n") for line in pool()]
    found = programs(lines)
    assert found == [program(line) for line in lines]
    assert len(set(found)) > 5
