"""Parse the headers of devices that follow no RFC. Pure.

- Cisco (IOS, IOS XE, IOS XR, NX-OS, ASA, FTD, wireless controllers) and Huawei: each message has a mnemonic. The parts
  before it may be any, in any order.
- Fortinet, Sophos and SonicWall firewalls: the message consists of `key=value` pairs.
- Meraki: the header has a Unix time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from logrouter.wire.routing_key import SEVERITIES
from shippers.parse.timestamp.header import STAMP, ZONE

NEAR = 512
"""Characters after the PRI within which the mnemonic, or the pairs with time and host, must begin."""

_MNEMONIC = re.compile(
    r"%([A-Z][A-Z0-9_]{1,31})(?:-\w{1,32}){0,3}?-([0-7])-(\w{1,64})(?= ?:)|%%\d\d(\w{1,32})/([0-7])/(\w{1,64})",
    re.ASCII,
)
_BEFORE_MNEMONIC = re.compile(
    r"[ :]*(?:"
    rf"[*.]?(?P<time>{STAMP})(?: [A-Z]{{3,5}}(?=:))?(?=[ :])"
    r"|(?:(?:\d{1,4}[ywdhms]){1,4}|\d{1,4}:\d\d:\d\d|\d{1,10}):(?= )"  # uptime, or a sequence number
    r"|[A-Z]{1,3}/[\w/]{1,32}:"  # the line card that sends it
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
    """The parts of a header; None for a part that it does not have. The message begins at index `end` of the text."""

    end: int
    time: str | None = None
    host: str | None = None
    app: str | None = None
    pid: str | None = None
    msgid: str | None = None
    severity: str | None = None


def header(text: str, begin: int) -> Header | None:
    """Return the header at `begin`, the index after the PRI; None if it is none of these."""
    return (
        _by_mnemonic(text, begin)
        or _pairs(text, begin)
        or (_meraki(text, begin) if text[begin : begin + 1] == "1" else None)
    )


def _by_mnemonic(text: str, begin: int) -> Header | None:
    """Return a header that ends before the mnemonic: people search messages for it."""
    at = text.find("%", begin, begin + NEAR)
    mnemonic = _MNEMONIC.match(text, at) if at >= 0 else None
    if mnemonic is None:
        return None
    stated: dict[str, str | None] = {}
    while text[begin:at].strip(" :"):
        part = _BEFORE_MNEMONIC.match(text, begin, at)
        if part is None or part.end() == begin:
            return None
        found = {name: value for name, value in part.groupdict().items() if value}
        if name := found.pop("name", None):
            found["app" if "host" in stated else "host"] = name
        if task := found.pop("task", None):
            found["app"] = task
        if stated.keys() & found.keys() - {"time"}:  # a relay may put its own time before the device's
            return None  # the same part twice: this is running text
        stated |= found
        begin = part.end()
    app, severity, msgid = mnemonic.groups()[:3] if mnemonic[1] else mnemonic.groups()[3:]
    process = stated.get("app") or app
    return Header(
        at, stated.get("time"), stated.get("host"), process, stated.get("pid"), msgid, SEVERITIES[int(severity)]
    )


def _pairs(text: str, begin: int) -> Header | None:
    """Return a header of length 0: all pairs stay in the message because they belong together."""
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
