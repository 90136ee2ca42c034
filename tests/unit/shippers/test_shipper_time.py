"""The time of a line: what it says in any of the usual forms, else when it was read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shippers.parse.timestamp.line import times

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
        ("E1122 13:00:00.123456       7 main.go:12] x", "2026-11-22T12:00:00.123456Z"),
        ("I20261122 13:00:00.123456 7 main.cc:12] x", "2026-11-22T12:00:00.123456Z"),
        ("1:M 22 Nov 2026 13:00:00.123 * x", "2026-11-22T12:00:00.123Z"),
        ("[812] 22 Nov 13:00:00.123 # x", "2026-11-22T12:00:00.123Z"),
        ("192.0.2.7:333 [22/Nov/2026:13:00:00.123] web app/a1 x", "2026-11-22T12:00:00.123Z"),
        ("2026-11-22T13:00:00.123456Z 0 [Note] x", "2026-11-22T13:00:00.123456Z"),
        ("261122 13:00:00 [ERROR] x", "2026-11-22T12:00:00Z"),
        ("261122  3:00:00 mysqld started", "2026-11-22T02:00:00Z"),
        ("1795352400.123    110 192.0.2.7 TCP_MISS/200 x", "2026-11-22T13:00:00.123Z"),
        ("type=SYSCALL msg=audit(1795352400.243:24287): arch=c000003e", "2026-11-22T13:00:00.243Z"),
        ("node=db1 type=SYSCALL msg=audit(1795352400.243:24287): arch=c000003e", "2026-11-22T13:00:00.243Z"),
        ("[1795352400] unbound[7:0] info: x", "2026-11-22T13:00:00Z"),
        ("2026-11-22 13:00:00.123 UTC [71] LOG:  x", "2026-11-22T13:00:00.123Z"),
        ("2026-11-22 13:00:00 GMT [71] LOG:  x", "2026-11-22T13:00:00Z"),
        ("2026-11-22 13:00:00.123 CET [71] LOG:  x", "2026-11-22T12:00:00.123Z"),
        ("2026-11-22 13:00:00.123 -03 [71] LOG:  x", "2026-11-22T16:00:00.123Z"),
        ("[22-Nov-2026 13:00:00 UTC] PHP Warning:  x", "2026-11-22T13:00:00Z"),
        ("[22-Nov-2026 13:00:00] NOTICE: x", "2026-11-22T12:00:00Z"),
        ("22-Nov-2026 13:00:00.123 INFO [main] x", "2026-11-22T12:00:00.123Z"),
        ("11-22 13:00:00.123  1000  1234 E Tag: x", "2026-11-22T12:00:00.123Z"),
        ("Nov 22 2026 13:00:00: %ASA-6-302013: x", "2026-11-22T12:00:00Z"),
        ("Sun Nov 22 13:00:00 UTC 2026 x", "2026-11-22T13:00:00Z"),
        ("20261122 13:00:00.123 - INFO - x", "2026-11-22T12:00:00.123Z"),
        ("(Sun Nov 22 13:00:00:259149 2026) [sssd] x", "2026-11-22T12:00:00.259149Z"),
        ('192.0.2.7 - - [22/Nov/2026 13:00:00] "GET / HTTP/1.1" 200 -', "2026-11-22T12:00:00Z"),
        ('{"t":{"$date":"2026-11-22T13:00:00.123+01:00"},"s":"I"}', "2026-11-22T12:00:00.123Z"),
        ('{"__REALTIME_TIMESTAMP":"1795352400123456"}', "2026-11-22T13:00:00.123456Z"),
        ('{"@t":"2026-11-22T13:00:00.1Z","@mt":"x"}', "2026-11-22T13:00:00.1Z"),
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
        '{"t": 12.5}',
        '{"t": {"$date": true}}',
        '{"time": "20261122"}',
        "1795352400 a number of seconds, or of something else",
        "11795352400.123 x",
        "1122 13:00:00 no letter before it",
        "E1399 13:00:00.000000 7 x.go:1] a thirteenth month",
        "99 Nov 2026 13:00:00 x",
        "122 Nov 2026 13:00:00 x",
        "192.168.1.1 to 10.0.0.1:13:00:00",
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


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-03-29 01:59:59 before the gap", "2026-03-29T00:59:59Z"),
        ("2026-03-29 02:30:00 in the gap", "2026-03-29T01:30:00Z"),
        ("2026-03-29 03:00:00 behind the gap", "2026-03-29T01:00:00Z"),
        ("2026-10-25 02:30:00 in the hour that repeats", "2026-10-25T00:30:00Z"),
        ("2026-10-25 03:00:00 behind it", "2026-10-25T02:00:00Z"),
        ("1:M 25 Oct 2026 02:30:00.000 * in the hour that repeats", "2026-10-25T00:30:00.000Z"),
        ("E1025 02:30:00.000000 7 x.go:1] in the hour that repeats", "2026-10-25T00:30:00.000000Z"),
        ("Oct 25 02:30:00 host app: in the hour that repeats", "2026-10-25T00:30:00Z"),
    ],
)
def test_the_change_of_the_clocks_gives_one_stable_time(line: str, expected: str) -> None:
    assert [ts(line), ts(line, now=NOW - 30 * 86_400)] == [expected, expected]


WRITTEN = (
    *(
        "%Y-%m-%dT%H:%M:%S.%fZ x",
        "%Y-%m-%d %H:%M:%S,%f+00:00 x",
        "%Y/%m/%d %H:%M:%S.%f x",
        "%Y-%m-%d %H:%M:%S.%f UTC x",
    ),
    *("[%a %b %d %H:%M:%S.%f %Y] [error] x", "%b %e %Y %H:%M:%S.%f x", "I%Y%m%d %H:%M:%S.%f 7 x.cc:1] x"),
    *("1:M %d %b %Y %H:%M:%S.%f * x", "h:1 [%d/%b/%Y:%H:%M:%S.%f] x", "%d-%b-%Y %H:%M:%S.%f general: info: x"),
    *("E%m%d %H:%M:%S.%f       7 x.go:1] x", "%b %e %H:%M:%S.%f host app: x", "[7] %d %b %H:%M:%S.%f # x"),
    *('{"t":{"$date":"%Y-%m-%dT%H:%M:%S.%f+00:00"}}', '{"time":"%Y-%m-%dT%H:%M:%S.%fZ"}'),
)


@given(
    st.datetimes(datetime(2026, 5, 24), datetime(2027, 5, 22)),  # noqa: DTZ001  # hypothesis wants them without a zone
    st.sampled_from(WRITTEN),
)
def test_every_form_gives_back_the_time_that_was_written(at: datetime, form: str) -> None:
    assert ts(at.strftime(form), ZoneInfo("UTC")) == at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_each_line_of_a_block_has_its_own() -> None:
    found = times(["2026-11-22T13:00:01Z a", "b", "2026-11-22T13:00:02Z c"], NOW)
    assert [ts for ts, _ in found] == ["2026-11-22T13:00:01Z", "2026-11-22T13:00:00.500000Z", "2026-11-22T13:00:02Z"]


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"\{\"(ts|time|timestamp)\": ?(-?\d{1,40}(\.\d+)?|\"[-\dT:. Z+]*\")\}"),
        st.from_regex(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d([.,]\d{0,12})?( ?[+-]\d\d:?\d\d|Z)?"),
        st.from_regex(r"(Jan|Feb|Dec) [ \d]?\d \d\d:\d\d:\d\d( \d{4})?"),
        st.from_regex(r"\d\d[/ -](Jan|Feb|Dec)[/ -]\d{4}[: ]\d\d:\d\d:\d\d(\.\d{1,9})?( [+-]\d{4}| UTC)?"),
        st.from_regex(r"[EI]?(\d\d){2,4} [ \d]?\d:\d\d:\d\d(\.\d{1,9})?"),
        st.from_regex(r"\A(\d{10}\.\d{3,9} |\[\d{10}\] |type=X msg=audit\(\d{10}\.\d{3}:1\))"),
    )
)
def test_whatever_a_line_says_its_time_can_be_read_again(line: str) -> None:
    ((found, ms),) = times([line], NOW)
    assert found.endswith("Z")
    assert abs(datetime.fromisoformat(found).timestamp() * 1000 - ms) <= 1
