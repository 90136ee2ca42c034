"""Find severities that a line does not state by a word. Pure.

Some programs write a letter, a sign or a number for the level, at a fixed place after the time. Access logs have no
level: the status of the response takes its place.
"""

from __future__ import annotations

import re

from logrouter.wire.routing_key import SEVERITIES
from shippers.parse.severity.levels import LETTERS, NAMES, REDIS, SHORT, SSSD, VMWARE

_TIMED = re.compile(
    # Redis: process, role, date, time, sign
    r"\[?\d++(?:\]|:[XCMS]) \d\d [A-Z][a-z]{2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d++)? ([.*#-])\s"
    # otherwise times and numbers, the first of them long enough for a time
    r"|(?=\[?[\d:.,/TZ+-]{5})(?>(?:[][\d:.,/TZ+-]++\s++)++)(?:"
    r"([A-Z]{3,9})(?=[]\s:|])"  # the level in capitals
    r"|([FEWIDV])\d?\s++[][\w-]"  # MongoDB, logcat
    r"|([FEWIDVA])/\w"  # logcat, brief
    r"|(Em|Al|Cr|Er|Wa|No|In|Db)\(\d{1,3}\)"  # ESX
    r"|\w{1,32} ++\d++ ++\d++ ([FEWIDVA]) )",  # logcat with user names
    re.ASCII,
)
UPPER = {name.upper(): severity for name, severity in (SHORT | NAMES).items()}
_SIGNS = (REDIS, UPPER, LETTERS, LETTERS, VMWARE, LETTERS)
"""The table for each group of `_TIMED`."""

_LETTERED = re.compile(
    r"([DIWEFCNVTAXd])(?: \[\d\d/|(?<=[DIWEF])(?:(?:\d{4}|\d{8}) \d\d:\d\d|, ?\[)"
    r"|(?<=[EWNI]): (?=[A-Za-z])|(?<=[VDIWEF])/[^\s(]{1,64}\( *\d+\):)",
    re.ASCII,
)
"""CUPS, klog and glog, Ruby, APT, logcat."""

_PRI = re.compile(r"<(\d|[1-9]\d|1[0-8]\d|19[01])>", re.ASCII)
_SSSD = re.compile(r"\([^()]{19,40}\):? .{2,160}? \((0x[\da-f]{4,5})\): ", re.ASCII)

_ACCESS = re.compile(r'\] "(?:[^"\\]{1,8192}+|\\.){0,512}+" ([1-5])\d\d(?=\s|$)', re.ASCII)
_HAPROXY = re.compile(r"\.\d{3}\] \S{1,128} \S{1,128} (?:-?\d{1,10}/){4}\+?\d{1,10} ([1-5])\d\d \+?\d++ ", re.ASCII)
_SQUID = re.compile(r"\d{10}\.\d{3} ++\d++ \S{1,128} [A-Z_]{3,64}/([1-5])\d\d ", re.ASCII)
_FAILED = {"4": "warning", "5": "error"}

DIGITS = "0123456789"
HEADED = frozenset((*DIGITS, *LETTERS, *"[(<"))
"""First characters of the lines that `stated_at_head` knows."""

DOTNET = {"trce: ": "debug", "dbug: ": "debug", "fail: ": "error"}
"""Beginnings of .NET lines. Its other levels are words."""


def stated_at_head(line: str, first: str) -> str | None:
    """Return the severity that a line states by a letter, sign or number, or by a word in capitals after its time.

    first: the first character of the line, one of HEADED.
    """
    if first in DIGITS or first == "[":
        found = _TIMED.match(line)
        return _SIGNS[found.lastindex - 1].get(found[found.lastindex]) if found and found.lastindex else None
    if first in LETTERS:
        found = _LETTERED.match(line)
        return LETTERS[found[1]] if found else None
    if first == "<":
        found = _PRI.match(line)
        return SEVERITIES[int(found[1]) % 8] if found else None
    found = _SSSD.match(line)
    return SSSD.get(int(found[1], 16)) if found else None


def response(line: str, near: int) -> tuple[int, str | None] | None:
    """Return (index after which words are not levels, severity of the response); None unless this is an access log.

    The severity is None if nothing failed.   near: characters within which the request begins.
    """
    quote = line.find('] "', 0, near)
    found = _ACCESS.match(line, quote) if quote >= 0 else None
    if found is None and line[10:11] == ".":
        found = _SQUID.match(line)
    if found is None and line.endswith('"'):
        found = _HAPROXY.search(line, 0, 4 * near)
    return (found.start(), _FAILED.get(found[1])) if found else None
