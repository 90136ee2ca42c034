"""The time of a line: what it says in any of the usual forms, else when it was read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shippers.parsing.time import times

NOW = 1795352400.5  # 2026-11-22 13:00:00.5 UTC
VIENNA = ZoneInfo("Europe/Vienna")


def ts(line: str, zone: ZoneInfo = VIENNA, now: float = NOW) -> str:
    ((found, ms),) = times([line], now, zone)
    assert ms == int(datetime.fromisoformat(found).timestamp() * 1000)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-11-22T13:00:00Z x", "2026-11-22T13:00:00Z"),
        ("2026-11-22T13:00:00.123456789Z x", "2026-11-22T13:00:00.123456789Z"),
        ("2026-11-22T13:00:00.5+05:30 x", "2026-11-22T07:30:00.5Z"),
        ("2026-11-22 13:00:00 -0500 x", "2026-11-22T18:00:00Z"),
        ("2026-11-22 13:00:00,747 - INFO", "2026-11-22T12:00:00.747Z"),
        ("2026-07-01 13:00:00 summer", "2026-07-01T11:00:00Z"),
        ("2026/11/22 13:00:00 [error] 7#7: nginx", "2026-11-22T12:00:00Z"),
        ("file.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 INFO", "2017-05-15T22:00:00.008Z"),
        ("Nov 22 13:00:00 host app: x", "2026-11-22T12:00:00Z"),
        ("Nov  2 03:00:00.25 host app: x", "2026-11-02T02:00:00.25Z"),
        ("<13>Nov 22 13:00:00 host app: x", "2026-11-22T12:00:00Z"),
        ("[Sun Dec 04 04:47:44 2005] [error] x", "2005-12-04T03:47:44Z"),
        ("[Sun Dec 04 04:47:44.712806 2005] [error] x", "2005-12-04T03:47:44.712806Z"),
        ('1.2.3.4 - - [04/Nov/2010:17:37:40 -0400] "GET / HTTP/1.1"', "2010-11-04T21:37:40Z"),
        ("2026-11-22T13:00:00.٥Z", "2026-11-22T12:00:00Z"),  # noqa: RUF001  # a digit of another script
        ('{"msg": "x", "time": "2026-11-22T13:00:00.1+01:00"}', "2026-11-22T12:00:00.1Z"),
        ('{"@timestamp": "2026-11-22T13:00:00Z"}', "2026-11-22T13:00:00Z"),
        ('{"ts": 1795352400.25}', "2026-11-22T13:00:00.250000Z"),
        ('{"time": 1795352400250}', "2026-11-22T13:00:00.250000Z"),
        ('{"ts": 1795352400250000000}', "2026-11-22T13:00:00.250000Z"),
    ],
)
def test_a_time_is_read(line: str, expected: str) -> None:
    assert ts(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "nothing at all",
        "2026-13-22T13:00:00Z a thirteenth month",
        "2026-11-22T25:00:00Z",
        "Feb 30 13:00:00 host",
        "9999-12-31T23:59:59-14:00 beyond the calendar",
        "0000-01-01T00:00:00Z",
        "2026-11-22T13:00:00+99:99",
        "00:1b:44:11:3a:b7 a hardware address",
        "x" * 90 + "2026-11-22T13:00:00Z",
        '{"ts": true}',
        '{"ts": -1}',
        '{"ts": 1e300}',
        '{"ts": ' + "9" * 5000 + "}",
        "",
    ],
)
def test_any_other_line_has_the_time_of_its_reading(line: str) -> None:
    assert ts(line) == "2026-11-22T13:00:00.500000Z"


@pytest.mark.parametrize(
    ("now", "line", "year"),
    [
        (datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "Dec 31 23:59:00 x", "2025"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "Jan  1 00:01:00 x", "2027"),
        (datetime(2025, 2, 1, tzinfo=UTC), "Feb 29 10:00:00 x", "2024"),
    ],
)
def test_a_year_that_is_not_said_is_the_closest_one(now: datetime, line: str, year: str) -> None:
    assert ts(line, ZoneInfo("UTC"), now.timestamp()).startswith(year)


@pytest.mark.parametrize("line", ["2026-03-29 02:30:00 in the gap", "2026-10-25 02:30:00 in the hour that repeats"])
def test_the_change_of_the_clocks_gives_one_stable_time(line: str) -> None:
    assert ts(line) == ts(line)
    assert ts(line)[11:] in ("01:30:00Z", "00:30:00Z")


def test_each_line_of_a_block_has_its_own() -> None:
    found = times(["2026-11-22T13:00:01Z a", "b", "2026-11-22T13:00:02Z c"], NOW)
    assert [ts for ts, _ in found] == ["2026-11-22T13:00:01Z", "2026-11-22T13:00:00.500000Z", "2026-11-22T13:00:02Z"]


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"\{\"(ts|time|timestamp)\": ?(-?\d{1,40}(\.\d+)?|\"[-\dT:. Z+]*\")\}"),
        st.from_regex(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d([.,]\d{0,12})?( ?[+-]\d\d:?\d\d|Z)?"),
        st.from_regex(r"(Jan|Feb|Dec) [ \d]?\d \d\d:\d\d:\d\d( \d{4})?"),
        st.from_regex(r"\d\d/(Jan|Feb|Dec)/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"),
    )
)
def test_whatever_a_line_says_its_time_can_be_read_again(line: str) -> None:
    ((found, ms),) = times([line], NOW)
    assert found.endswith("Z")
    assert abs(datetime.fromisoformat(found).timestamp() * 1000 - ms) <= 1
