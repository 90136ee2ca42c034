"""What real devices send -> time, host, program and the rest, by the published examples of their makers."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from shippers.parse.syslog import parse
from shippers.parse.timestamp.header import moment

NOW = 1795352400.0  # 2026-11-22 13:00:00 UTC
VIENNA = ZoneInfo("Europe/Vienna")

MNEMONIC = "%SYS-5-CONFIG_I: Configured from console"

CISCO = [
    (f"<189>29: *Nov 22 13:00:00.123: {MNEMONIC}", None),
    (f"<189>29: .Nov 22 13:00:00.123 GMT+1: {MNEMONIC}", None),
    (f"<189>29: sw1: *Nov 22 13:00:00.123: {MNEMONIC}", "sw1"),
    (f"<189>79: ROUTER-1: 000080: *Nov 22 13:00:00.123 UTC: {MNEMONIC}", "ROUTER-1"),
    (f"<189>sw1: 2026 Nov 22 13:00:00.123 BRT: {MNEMONIC}", "sw1"),
    (f"<189>: 2026 Nov 22 13:00:00.123 CET: {MNEMONIC}", None),
    (f"<189>2026 Nov 22 13:00:00.123 sw1 {MNEMONIC}", "sw1"),
    (f"<189>Nov 22 13:00:00.123 sw1: {MNEMONIC}", "sw1"),
    (f"<189>Nov 22 2026 13:00:00.123: {MNEMONIC}", None),
    (f"<189>Nov 22 2026 13:00:00.123 fw1 : {MNEMONIC}", "fw1"),
    (f"<189>Nov 22 13:00:05 10.1.1.1 29: *Nov 22 13:00:00.123: {MNEMONIC}", "10.1.1.1"),
    (f"*Nov 22 13:00:00.123: {MNEMONIC}", None),
]


@pytest.mark.parametrize(("text", "host"), CISCO)
def test_cisco_whatever_stands_before_the_mnemonic(text: str, host: str | None) -> None:
    said = parse(text)
    assert (said.severity, said.host, said.app, said.msgid) == ("notice", host, "SYS", "CONFIG_I")
    assert said.message == MNEMONIC
    assert said.time is not None
    assert ":00:00.123" in said.time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<189>29: 1d02h: %SYS-5-RESTART: x", (None, None, "SYS", None, "RESTART")),
        ("<189>00:00:46: %LINK-3-UPDOWN: x", (None, None, "LINK", None, "UPDOWN")),
        ("<166>%ASA-session-6-302013: Built", (None, None, "ASA", None, "302013")),
        (
            "<189>29: xr1 RP/0/RSP0/CPU0:Nov 22 13:00:00.123 UTC: config[65710]: %MGBL-CONFIG-6-DB_COMMIT : x",
            ("Nov 22 13:00:00.123 UTC", "xr1", "config", "65710", "DB_COMMIT"),
        ),
        (
            "<134>WLC-1: *Dot1x_NW_MsgTask_0: Nov 22 13:00:00.123: %DOT1X-3-ABORT_AUTH: [PA]dot1x",
            ("Nov 22 13:00:00.123", "WLC-1", "Dot1x_NW_MsgTask_0", None, "ABORT_AUTH"),
        ),
        (
            "<189>Nov 22 13:00:00 2026 HUAWEI %%01SHELL/5/CMDRECORD(l)[0]:Recorded",
            ("Nov 22 13:00:00 2026", "HUAWEI", "SHELL", None, "CMDRECORD"),
        ),
        ("<13>I have 100 %SYS-5-CONFIG_I: things", (None, None, None, None, None)),
        (
            '<189>date=2026-11-22 time=13:00:00 devname="FGT60E" devid="FG" level="notice" tz="+0100" msg="x"',
            ("2026-11-22 13:00:00 +0100", "FGT60E", None, None, None),
        ),
        (
            '<30>device="SFW" date=2026-11-22 time=13:00:00 timezone="CET" device_name="XG210" log_id=1',
            ("2026-11-22 13:00:00 CET", "XG210", None, None, None),
        ),
        (
            '<134>id=firewall sn=0017C5 time="2026-11-22 13:00:00 UTC" fw=192.0.2.4 pri=6',
            ("2026-11-22 13:00:00 UTC", None, None, None, None),
        ),
        ("<13>key=value and no more", (None, None, None, None, None)),
        (
            "<134>1 1563249630.774247467 MX84 flows src=192.0.2.1",
            ("1563249630.774247467", "MX84", "flows", None, None),
        ),
        (
            "<30>Nov 22 13:00:00 mx480 rpd[1234]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer",
            ("Nov 22 13:00:00", "mx480", "rpd", "1234", None),
        ),
        ("<30>Nov 22 13:00:00 MikroTik dhcp,info assigned", ("Nov 22 13:00:00", "MikroTik", None, None, None)),
        ("<14>Nov 22 13:00:00 NAS WinFileService Event: read", ("Nov 22 13:00:00", "NAS", None, None, None)),
        (
            "<166>2026-11-22T13:00:00.123Z esx1 Hostd: info hostd[2099] [Originator@6876 sub=Vimsvc] x",
            ("2026-11-22T13:00:00.123Z", "esx1", "Hostd", None, None),
        ),
        ("<38>Nov 22 13:00:00 su: BAD SU", ("Nov 22 13:00:00", None, "su", None, None)),
        (
            "<38>Nov 22 13:00:00 Message forwarded from aix01: sshd[123]: x",
            ("Nov 22 13:00:00", "aix01", "sshd", "123", None),
        ),
        ("<134>Nov 22 13:00:00 bigip1 notice tmm[12]: x", ("Nov 22 13:00:00", "bigip1", "tmm", "12", None)),
        (
            '<134>1 2026-11-22T13:00:00Z gw CheckPoint 12345 - [action:"Accept"; conn:"x"]',
            ("2026-11-22T13:00:00Z", "gw", "CheckPoint", "12345", None),
        ),
        (
            "<30>Nov 22 13:00:00 mac com.apple.xpc.launchd[1] (com.apple.x): x",
            ("Nov 22 13:00:00", "mac", "com.apple.xpc.launchd", "1", None),
        ),
        ("<30>Nov 22 13:00:00 last message repeated 2 times", ("Nov 22 13:00:00", None, None, None, None)),
        ("<013> Nov 22 13:00:00 host su: x", ("Nov 22 13:00:00", "host", "su", None, None)),
        ("<999>Sun Nov 22 13:00:00 UTC 2026 host su: x", ("Sun Nov 22 13:00:00 UTC 2026", "host", "su", None, None)),
        ("Nov 22 13:00:00 2026 ::1 su[1]:x", ("Nov 22 13:00:00 2026", "::1", "su", "1", None)),
        ("<13>22 Nov 2026 13:00:00 CET a/b x: y", ("22 Nov 2026 13:00:00 CET", "a/b", "x", None, None)),
    ],
)
def test_what_a_device_states(text: str, expected: tuple[str | None, ...]) -> None:
    said = parse(text)
    assert (said.time, said.host, said.app, said.pid, said.msgid) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<30>Nov 22 13:00:00 my text", (None, None, "my text")),
        ("<30>Nov 22 13:00:00 sshd[1]: text", (None, "sshd", "text")),
        ("<30>Nov 22 13:00:00 web-1 nginx: text", ("web-1", "nginx", "text")),
    ],
)
def test_by_a_unix_socket_a_host_comes_only_with_a_program(
    text: str, expected: tuple[str | None, str | None, str]
) -> None:
    said = parse(text, is_local=True)
    assert (said.host, said.app, said.message) == expected


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("Nov 22 13:00:00", "2026-11-22T12:00:00Z"),
        ("Nov  2 13:00:00.123", "2026-11-02T12:00:00.123Z"),
        ("Dec 31 23:59:59", "2026-12-31T22:59:59Z"),
        ("May 25 13:00:00", "2026-05-25T11:00:00Z"),
        ("Feb 29 13:00:00", None),
        ("2024 Feb 29 13:00:00", "2024-02-29T12:00:00Z"),
        ("Nov 22 13:00:00 2020", "2020-11-22T12:00:00Z"),
        ("Nov 22 2020 13:00:00 PST", "2020-11-22T21:00:00Z"),
        ("Sun Nov 22 13:00:00 UTC 2026", "2026-11-22T13:00:00Z"),
        ("Nov 22 13:00:00 GMT+0530", "2026-11-22T07:30:00Z"),
        ("2026-11-22T13:00:00.123456789+01:00", "2026-11-22T12:00:00.123456789Z"),
        ("2026-11-22t13:00:00z", "2026-11-22T13:00:00Z"),
        ("2026/11/22 13:00:00,5 -0800", "2026-11-22T21:00:00.5Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
        ("1563249630.774247467", "2019-07-16T04:00:30.774247467Z"),
        ("Nov 31 13:00:00", None),
        ("Nov 22 13:60:00", None),
        ("2026-11-22T13:00:00-24:00", None),
        ("yesterday", None),
    ],
)
def test_when_that_was(text: str, utc: str | None) -> None:
    """Case 22: also in the hour that daylight saving leaves out, and in that which it repeats."""
    found = moment(text, NOW, VIENNA)
    assert (found and found[0]) == utc


@pytest.mark.parametrize(
    ("received", "year"),
    [(1798761600.0, 2026), (1785542400.0, 2026), (1777593600.0, 2025)],  # on 1 January, 1 August and 1 May
)
def test_a_year_that_is_not_stated_is_the_closest(received: float, year: int) -> None:
    assert (moment("Dec 31 23:59:59", received, VIENNA) or ("",))[0].startswith(str(year))
