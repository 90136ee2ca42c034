"""The headers of devices that follow no RFC -> what they state. Pure.

Known are Cisco's systems (IOS, IOS XE, IOS XR, NX-OS, ASA, FTD, wireless controllers) and Huawei's by the mnemonic that
each of their messages has, whatever stands before it and in whatever order; firewalls that write `key=value` alone
(Fortinet, Sophos, SonicWall); and Meraki, which states a Unix time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from logrouter.wire.routing_key import SEVERITIES
from shippers.parse.timestamp.header import STAMP, ZONE

NEAR = 512
"""Characters within which such a header stands."""

_MNEMONIC = re.compile(
    r"%([A-Z][A-Z0-9_]{1,31})(?:-\w{1,32}){0,3}?-([0-7])-(\w{1,64})(?= ?:)|%%\d\d(\w{1,32})/([0-7])/(\w{1,64})",
    re.ASCII,
)
_BEFORE_MNEMONIC = re.compile(
    r"[ :]*(?:"
    rf"[*.]?(?P<time>{STAMP})(?: [A-Z]{{3,5}}(?=:))?(?=[ :])"
    r"|(?:(?:\d{1,4}[ywdhms]){1,4}|\d{1,4}:\d\d:\d\d|\d{1,10}):(?= )"  # since when it is up; a sequence number
    r"|[A-Z]{1,3}/[\w/]{1,32}:"  # the card that it comes from
    r"|(?P<app>[\w./-]{1,64})\[(?P<pid>\d{1,10})\] ?:"
    r"|\*(?P<task>[\w-]{1,64}):(?= )"
    r"|(?P<name>[^\s%\[]{0,254}[^\s%\[:])(?: :(?= )|:(?= )|(?= ))"
    r")",
    re.ASCII,
)
_PAIR = re.compile(r"[A-Za-z_]\w{0,31}=", re.ASCII)
_PAIR_TIME = re.compile(
    r'\bdate="?(\d{4}-\d\d-\d\d)"? time="?(\d\d:\d\d:\d\d)"?|\btime="(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: UTC)?)"',
    re.ASCII,
)
_PAIR_ZONE = re.compile(rf'\b(?:tz|timezone)="?({ZONE})"?', re.ASCII)
_PAIR_HOST = re.compile(r'\b(?:devname|device_name|hostname)="?([^"\s]{1,255})')
_MERAKI = re.compile(r"1 (?P<time>\d{10}\.\d{1,9}) (?P<host>[!-~]{1,255}) (?:(?P<app>[a-z][a-z_-]{1,63}) )?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Header:
    """What a header states; the message begins at `end`."""

    end: int
    time: str | None = None
    host: str | None = None
    app: str | None = None
    pid: str | None = None
    msgid: str | None = None
    severity: str | None = None


def header(text: str, begin: int) -> Header | None:
    """The header that stands at `begin`, behind the PRI, if it is one of these."""
    return (
        _by_mnemonic(text, begin)
        or _pairs(text, begin)
        or (_meraki(text, begin) if text[begin : begin + 1] == "1" else None)
    )


def _by_mnemonic(text: str, begin: int) -> Header | None:
    """The message begins with the mnemonic: it is what people search for."""
    at = text.find("%", begin, begin + NEAR)
    mnemonic = _MNEMONIC.match(text, at) if at >= 0 else None
    if mnemonic is None:
        return None
    said: dict[str, str | None] = {}
    while text[begin:at].strip(" :"):
        part = _BEFORE_MNEMONIC.match(text, begin, at)
        if part is None or part.end() == begin:
            return None
        found = {name: value for name, value in part.groupdict().items() if value}
        if name := found.pop("name", None):
            found["app" if "host" in said else "host"] = name
        if task := found.pop("task", None):
            found["app"] = task
        if said.keys() & found.keys() - {"time"}:  # a relay's time may stand before the device's
            return None  # two of a kind: this is running text
        said |= found
        begin = part.end()
    app, severity, msgid = mnemonic.groups()[:3] if mnemonic[1] else mnemonic.groups()[3:]
    process = said.get("app") or app
    return Header(at, said.get("time"), said.get("host"), process, said.get("pid"), msgid, SEVERITIES[int(severity)])


def _pairs(text: str, begin: int) -> Header | None:
    """The message is all of it: its pairs belong together."""
    if _PAIR.match(text, begin) is None:
        return None
    end = begin + NEAR
    time, host = _PAIR_TIME.search(text, begin, end), _PAIR_HOST.search(text, begin, end)
    if time is None and host is None:
        return None
    written = (time[3] or f"{time[1]} {time[2]}") if time else None
    zone = _PAIR_ZONE.search(text, begin, end)
    if time and not time[3] and zone:
        written = f"{written} {zone[1]}"
    return Header(begin, written, host[1] if host else None)


def _meraki(text: str, begin: int) -> Header | None:
    found = _MERAKI.match(text, begin)
    return Header(found.end(), found["time"], found["host"], found["app"]) if found else None
