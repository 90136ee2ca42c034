"""A syslog message -> what its header states. Pure.

Known are RFC 5424, held to its letter, and RFC 3164 as it is really sent: with or without host, tag and pid, with any
of the usual times. Any text at all has a result: what is not understood stays in `message`, and no part of the text is
taken for a header that is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from logrouter.keys import SEVERITIES

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", *(f"local{number}" for number in range(8))),
)
"""By number, as Linux names them."""

_MAX_HEADER = 1024
"""Characters within which the header of RFC 3164 stands; its pattern looks no further."""

_PRI = re.compile(r"<(0|[1-9]\d{0,2})>", re.ASCII)
_RFC5424 = re.compile(
    r"(?P<version>[1-9]\d{0,2}) "
    r"(?:-|(?P<time>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))) "
    r"(?:-|(?P<host>[!-~]{1,255})) (?:-|(?P<app>[!-~]{1,48})) (?:-|(?P<pid>[!-~]{1,128})) "
    r"(?:-|(?P<msgid>[!-~]{1,32})) ",
    re.ASCII,
)
_NAME = r"[!#-<>-\\^-~]{1,32}"
_PARAM = re.compile(rf' ({_NAME})="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ELEMENT = re.compile(rf'\[({_NAME})((?: {_NAME}="(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')

_TIME = (
    r"(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]?\d "
    r"(?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4})?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
)
_TAG = r"(?P<app>[^\s\[\]:]{1,128})(?:\[(?P<pid>[^\]\s]{1,128})\])?:(?= |$)"
_HOST = r"(?P<host>[^\s\[]{0,254}[^\s\[:])(?: +|$)"
_RFC3164 = re.compile(rf"(?P<time>{_TIME}):? (?:{_HOST})?(?:{_TAG})? ?", re.ASCII)
_BARE = re.compile(rf"{_TAG} ?")


@dataclass(frozen=True, slots=True)
class Message:
    """What a message states; None for what it does not.

    form: `rfc5424`, `rfc3164`, or '' for neither, when `message` is all that stands behind a PRI.
    time: as it is written.   sd: structured data, values by name by element.   severity, facility: by name.
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


def parse(text: str) -> Message:
    """What a message states, whatever it is."""
    pri = _PRI.match(text)
    number = int(pri[1]) if pri else -1
    if pri is None or number >= 8 * len(FACILITIES):
        return _rfc3164(text, 0, None, None) or Message(text)
    severity, facility = SEVERITIES[number % 8], FACILITIES[number // 8]
    return (
        _rfc5424(text, pri.end(), severity, facility)
        or _rfc3164(text, pri.end(), severity, facility)
        or Message(text[pri.end() :], severity=severity, facility=facility)
    )


def program(line: str) -> tuple[str | None, str | None]:
    """(app, pid) of a line in a file that a syslog daemon wrote, in whichever of its formats."""
    header = _RFC3164.match(line, 0, _MAX_HEADER)
    if header is not None:
        return header["app"], header["pid"]
    if not line.startswith("<"):
        return None, None
    message = parse(line)
    return message.app, message.pid


def _rfc5424(text: str, begin: int, severity: str, facility: str) -> Message | None:
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
    return Message(
        text[end + 1 :].removeprefix("\ufeff"),
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


def _rfc3164(text: str, begin: int, severity: str | None, facility: str | None) -> Message | None:
    """Also of a line without PRI, if it begins with a time."""
    header = _RFC3164.match(text, begin, begin + _MAX_HEADER)
    if header is not None:
        return Message(
            text[header.end() :],
            "rfc3164",
            severity,
            facility,
            time=header["time"],
            host=header["host"],
            app=header["app"],
            pid=header["pid"],
        )
    tag = _BARE.match(text, begin, begin + _MAX_HEADER) if begin else None
    if tag is None:
        return None
    return Message(text[tag.end() :], "rfc3164", severity, facility, app=tag["app"], pid=tag["pid"])
