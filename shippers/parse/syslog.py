"""Parse syslog messages. Pure.

The formats are RFC 5424, RFC 3164 as it is sent in practice (with or without host, tag and pid, with any time of
`timestamp.header`), and the headers of `devices`. Any text has a result: what is not understood stays in `message`, and
no part of the text is mistaken for a header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from logrouter.wire.routing_key import SEVERITIES
from shippers.parse import devices
from shippers.parse.devices import Header
from shippers.parse.facilities import FACILITIES
from shippers.parse.timestamp.calendar import MONTH
from shippers.parse.timestamp.header import STAMP, YEAR, ZONE

_MAX_HEADER = 1024
"""Characters within which an RFC 3164 header ends; its pattern looks no further."""

_PRI = re.compile(r"<(\d{0,10})>", re.ASCII)
_VALID_PRI = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)
_RFC5424 = re.compile(
    r"(?P<version>[1-9]\d{0,2}) "
    r"(?:-|(?P<time>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))) "
    r"(?:-|(?P<host>[!-~]{1,255})) (?:-|(?P<app>[!-~]{1,48})) (?:-|(?P<pid>[!-~]{1,128})) "
    r"(?:-|(?P<msgid>[!-~]{1,32})) ",
    re.ASCII,
)
_LOOSE5424 = re.compile(
    r"(?P<version>[1-9]\d{0,2}) "
    r"(?:-|(?P<time>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,12})?(?:[Zz]|[+-]\d\d:?\d\d)?))"
    r" (?:-|(?P<host>\S{1,512})) (?:-|(?P<app>\S{1,255})) (?:-|(?P<pid>\S{1,255})) (?:-|(?P<msgid>\S{1,255}))"
    r" (?=\[|- |-$)",
    re.ASCII,
)
"""RFC 5424 in outline: with a time, a name or structured data that does not conform."""

_NAME = r"[!#-<>-\\^-~]{1,32}"
_PARAM = re.compile(rf' ({_NAME})="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ELEMENT = re.compile(rf'\[({_NAME})((?: {_NAME}="(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')

_TAG = (
    r"(?:(?P<app>[^\s\[\]:]{1,128})(?:\[(?P<pid>[^\]\s]{1,128})\]:|:(?= |$))"
    r"|(?P<app_>[^\s\[\]:]{1,128})\[(?P<pid_>\d{1,10})\](?= ))"
)
_TAG_NEXT = r"(?=[^\s\[\]:]{1,128}(?:\[[^\]\s]{1,128}\])?:(?: |$))"
_LEVEL = rf"(?:(?:emerg|alert|crit|err|error|warning|notice|info|debug) {_TAG_NEXT})?"
_HOST = r"(?!(?:last )?message repeated |-- MARK)(?P<host>[^\s\[]{0,511}[^\s\[:])(?: +|$)"
_FORWARDED = r"(?:[^\s:]{1,255} )?Message forwarded from (?P<origin>\S{1,254}[^\s:]): ?"
_BEGIN = rf" {{0,8}}(?:\d{{1,3}} (?=\d{{4}}-\d\d-\d\dT))?(?P<time>{STAMP})(?::? |:?$)"
_RFC3164 = re.compile(rf"{_BEGIN}(?:{_FORWARDED}|{_HOST})?(?:{_LEVEL}{_TAG})? ?", re.ASCII)
_LOCAL = re.compile(rf"{_BEGIN}(?:{_FORWARDED}|{_HOST}{_TAG_NEXT})?(?:{_TAG})? ?", re.ASCII)
_PLAIN = re.compile(
    rf"^(?:(?:{MONTH} [ \d]\d \d\d:\d\d:\d\d(?! (?:{YEAR}|{ZONE}) )"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))"
    r" (?!-)[\w.-]{1,64} ([^\s\[\]:]{1,128})(?:\[([^\]\s]{1,128})\]:|:(?= |$)))?.*",
    re.ASCII | re.MULTILINE,
)
"""The header of nearly every line in a file: time, host, program."""
_BARE = re.compile(rf" {{0,8}}{_TAG} ?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """The parts of a message; None for a part that it does not have.

    form: `rfc5424`, `rfc3164`, `loose` (RFC 5424 in outline), `device`, or '' for none. Then `message` is all that
    follows a valid PRI.
    time: as written.   sd: structured data, values by name by element.   severity, facility: their names.
    """

    message: str
    form: str = ""
    severity: str | None = None
    facility: str | None = None
    version: int | None = None
    time: str | None = None
    host: str | None = None
    app: str | None = None
    pid: str | None = None
    msgid: str | None = None
    sd: dict[str, dict[str, str]] | None = None


def parse(text: str, *, is_local: bool = False) -> SyslogMessage:
    """Return what a message states. Any text has a result.

    is_local: the message was written to a socket of this machine. Headers there name no host, except for a few that
    also name a program.
    """
    pri = _PRI.match(text)
    begin = pri.end() if pri else 0
    is_valid = pri is not None and _VALID_PRI.fullmatch(pri[1]) and int(pri[1]) < 8 * len(FACILITIES)
    number = int(pri[1]) if pri and is_valid else -1
    severity, facility = (SEVERITIES[number % 8], FACILITIES[number // 8]) if is_valid else (None, None)
    has_version = pri is not None and text[begin : begin + 1].isdigit()
    return (
        (_rfc5424(text, begin, severity, facility) if has_version else None)
        or (_loose(text, begin, severity, facility) if has_version else None)
        or _without_rfc5424(text, begin, severity, facility, is_local=is_local)
        or SyslogMessage(text[begin:] if is_valid else text, severity=severity, facility=facility)
    )


def program(line: str) -> tuple[str | None, str | None]:
    """Return (app, pid) of a line in a file that a syslog daemon wrote, in any of its formats."""
    header = _RFC3164.match(line, 0, _MAX_HEADER)
    if header is not None:
        return header["app"] or header["app_"], header["pid"] or header["pid_"]
    if not line.startswith("<"):
        return None, None
    message = parse(line)
    return message.app, message.pid


def programs(lines: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Return `program` of each line. One pass of a regular expression handles all lines with a plain header.

    lines: without their newlines, at least one.
    """
    plain = _PLAIN.findall("\n".join(lines))
    return [(app, pid or None) if app else program(line) for (app, pid), line in zip(plain, lines, strict=True)]


def _rfc5424(text: str, begin: int, severity: str | None, facility: str | None) -> SyslogMessage | None:
    header = _RFC5424.match(text, begin)
    if header is None:
        return None
    sd: dict[str, dict[str, str]] | None = None
    end = header.end()
    if text.startswith("-", end):
        end += 1
    else:
        sd = {}
        while (element := _ELEMENT.match(text, end)) is not None:
            if element[1] in sd:
                return None
            sd[element[1]] = {name: _ESCAPED.sub(r"\1", value) for name, value in _PARAM.findall(element[2])}
            end = element.end()
    if sd == {} or (end < len(text) and text[end] != " "):
        return None
    return SyslogMessage(
        text[end + 1 :],
        "rfc5424",
        severity,
        facility,
        int(header["version"]),
        header["time"],
        header["host"],
        header["app"],
        header["pid"],
        header["msgid"],
        sd,
    )


def _loose(text: str, begin: int, severity: str | None, facility: str | None) -> SyslogMessage | None:
    """Parse RFC 5424 in outline. Structured data that does not conform stays in the message."""
    header = _LOOSE5424.match(text, begin)
    if header is None:
        return None
    end = header.end() + (2 if text.startswith("- ", header.end()) else 0)
    version, time, host, app, pid, msgid = header.groups()
    return SyslogMessage(text[end:], "loose", severity, facility, int(version), time, host, app, pid, msgid)


def _without_rfc5424(
    text: str, begin: int, severity: str | None, facility: str | None, *, is_local: bool
) -> SyslogMessage | None:
    device = devices.header(text, begin)
    header = device or _rfc3164(text, begin, is_local=is_local)
    if header is None:
        return None
    return SyslogMessage(
        text[header.end :],
        "device" if device else "rfc3164",
        severity or header.severity,
        facility,
        time=header.time,
        host=header.host,
        app=header.app,
        pid=header.pid,
        msgid=header.msgid,
    )


def _rfc3164(text: str, begin: int, *, is_local: bool) -> Header | None:
    """Return the header. Without a PRI, only a header that begins with a time counts."""
    pattern = _LOCAL if is_local else _RFC3164
    found = pattern.match(text, begin, begin + _MAX_HEADER)
    if found is not None:
        host = found["origin"] or found["host"]
        return Header(found.end(), found["time"], host, found["app"] or found["app_"], found["pid"] or found["pid_"])
    tag = _BARE.match(text, begin, begin + _MAX_HEADER) if begin else None
    return tag and Header(tag.end(), app=tag["app"] or tag["app_"], pid=tag["pid"] or tag["pid_"])
