"""The summary of a running `up`: numbers to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.cli.tui import summary
from logrouter.cli.tui.panel import drawing
from logrouter.cli.tui.summary import LABEL, SPAN, Places, Rate, Snapshot

PLACES = Places("/var/lib/logrouter/archive", "logrouter tail '#'", "in /var/lib/logrouter/mail")
BUSY = Snapshot(
    uptime=192.7,
    lines={"web": 12_000, "mail": 300, "auth": 41, "db": 5},
    destinations={"archive": 12_345, "discard": 1},
    repeated=7,
    rate=33.4,
    behind=1_300_000,
    in_hand=210,
    mails=3,
)


def test_the_rows_of_a_wide_terminal_say_everything() -> None:
    assert dict(summary.rows(BUSY, PLACES, 80)) == {
        "lines in": "12,346 · 33/s · 7 duplicates discarded",
        "from": "web 12,000 · mail 300 · auth 41 · db 5",
        "to": "archive 12,345 · discard 1",
        "pending": "1.2 MiB unconfirmed · 210 lines in flight",
        "mail": "3 sent · in /var/lib/logrouter/mail",
        "archive": "/var/lib/logrouter/archive",
        "listen": "logrouter tail '#'",
    }
    assert summary.title(BUSY, 80).startswith("── logrouter up 3 min 12 s ───")
    assert summary.title(BUSY, 80).endswith("── Ctrl-C to stop ──")


def test_a_narrow_terminal_gets_what_matters_most() -> None:
    assert dict(summary.rows(BUSY, PLACES, 40)) == {
        "lines in": "12,346 · 33/s",
        "from": "web 12,000 · +3 more",
        "to": "archive 12,345 · discard 1",
        "pending": "1.2 MiB unconfirmed",
        "mail": "3 sent · …r/lib/logrouter/mail",
        "archive": "/var/lib/logrouter/archive",
        "listen": "logrouter tail '#'",
    }


COUNTS = st.dictionaries(st.text("abcdefgh-", min_size=1, max_size=30), st.integers(1, 10**12), max_size=12)


@given(COUNTS, COUNTS, st.integers(0, 10**15), st.integers(20, 200), st.text("/abc", max_size=200))
def test_nothing_is_wider_than_the_terminal(
    lines: dict[str, int], destinations: dict[str, int], count: int, width: int, path: str
) -> None:
    snapshot = Snapshot(1e6, lines, destinations, count, float(count), count, count, count)
    drawn = drawing(snapshot, Places(path, path, path), width).plain.split("\n")
    assert max(map(len, drawn)) <= width


def test_a_quiet_start_has_no_mail_and_no_rows_that_jump() -> None:
    quiet, busy = Snapshot(), BUSY
    places = Places("/a", "logrouter tail '#'")
    assert dict(summary.rows(quiet, places, 80))["pending"] == "nothing pending"
    assert len(summary.rows(quiet, places, 80)) == len(summary.rows(busy, places, 80)) == 6


def test_a_sentence_for_the_log() -> None:
    assert summary.sentence(BUSY, PLACES) == (
        "12,346 lines in 3 min 12 s (web 12,000, mail 300, auth 41, db 5); to archive 12,345, discard 1; "
        "3 mails in /var/lib/logrouter/mail; 7 duplicates discarded; 33/s; 1.2 MiB unconfirmed; 210 lines in flight"
    )
    many = Snapshot(10.0, {f"s{number}": number + 1 for number in range(9)})
    assert (
        summary.sentence(many, PLACES)
        == "45 lines in 10 s (s8 9, s7 8, s6 7, s5 6, s4 5, 4 more); 0/s; nothing pending"
    )
    assert summary.closing(Snapshot(1.0, {"web": 1}, {"archive": 1}), PLACES) == (
        "1 line in 1 s (web 1); to archive 1; archives are under /var/lib/logrouter/archive"
    )


def test_a_log_hears_of_changes_and_once_a_minute() -> None:
    last = Snapshot(10.0, {"web": 1}, rate=3.0)
    assert not summary.is_due(last, Snapshot(20.0, {"web": 1}, rate=0.0))
    assert summary.is_due(last, Snapshot(20.0, {"web": 2}))
    assert summary.is_due(last, Snapshot(70.0, {"web": 1}))


def test_the_rate_is_a_mean_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    assert rate.at(1.0, 10) == 10.0
    assert rate.at(SPAN, 50) == 10.0
    assert rate.at(SPAN + 1, 50) == pytest.approx(40 / SPAN)
    assert [rate.at(now, 50) for now in (2 * SPAN, 3 * SPAN)][-1] == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (7500, "2 h 5 min"), (3600 * 99, "4 d 3 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert summary.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB"), (1 << 50, "1024.0 TiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert summary.size(count) == text


def test_labels_leave_room() -> None:
    assert all(len(name) < LABEL for name, _ in summary.rows(BUSY, PLACES, 80))
