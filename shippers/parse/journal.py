"""The output of `journalctl -o json` -> lines of a spool -> what each entry states. Pure.

In come bytes as they are read; out go whole lines, each JSON with the cursor of its entry, whatever came: what is no
JSON, or too long, is wrapped. From such a line comes what a record needs. Any bytes have a result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from logrouter.wire.routing_key import SEVERITIES
from logrouter.wire.truncated import Truncated, Truncation
from shippers.parse.facilities import FACILITIES
from shippers.parse.severity.severity import STATED, severity

_CURSOR = re.compile(rb'[{,]\s*"__CURSOR"\s*:\s*"([^"\\]{1,512})"')
"""In a line as it stands: within a JSON text each quote has a backslash before it, so that none looks like this."""

_OVERLAP = 600
"""Bytes of a long line that are looked at once more with those that follow: a cursor may stand across both."""

_NOTE = b"-- "
"""How journalctl begins what it says itself, such as `-- No entries --`; entries begin with a brace."""

_UNITS = ("_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "UNIT", "USER_UNIT", "COREDUMP_UNIT")
"""Whose an entry is, and which unit systemd itself speaks of."""

_NAMED = {
    "unit": "_SYSTEMD_UNIT",
    "user_unit": "_SYSTEMD_USER_UNIT",
    "boot": "_BOOT_ID",
    "transport": "_TRANSPORT",
}
_TAKEN = frozenset(("MESSAGE", "MESSAGE_ID", "PRIORITY"))

_MAX_FIELDS = 32 << 10
"""Characters of the names and values of an entry's own fields; the smallest are kept first."""

_LAST = 253_402_300_800 * 1_000_000
"""The end of the year 9999, in microseconds."""

_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What an entry states; None for what it does not.

    message: its text, `exact` the bytes that it stands for.   truncated: all of it, where it is only the beginning.
    stated, received: Unix times, of its sender and of the journal.   fields: what else it says.
    """

    message: str
    exact: bytes
    truncated: Truncated | None
    severity: str
    severity_from: str
    facility: str | None = None
    app: str | None = None
    pid: str | None = None
    msgid: str | None = None
    host: str | None = None
    stated: float | None = None
    received: float | None = None
    fields: dict[str, Any] | None = None


class JournalLines:
    """Bytes of journalctl's output -> (cursor, line of the spool) of each entry. limit: bytes of a line.

    `cursor` is that of the last entry: something that has none of its own goes by it.
    """

    def __init__(self, limit: int, cursor: str = "") -> None:
        self.cursor = cursor
        self._limit = limit
        self._rest = b""
        self._long: _LongEntry | None = None

    def feed(self, content: bytes) -> list[tuple[str, bytes]]:
        """The entries that are whole now."""
        entries = []
        *lines, rest = content.split(b"\n")
        for line in lines:
            if self._long is not None:
                self._long.add(line)
                entries.append(self._ended(self._long))
                self._long = None
                continue
            whole, self._rest = self._rest + line, b""
            if not whole.startswith(_NOTE):
                entries.append(self._line(whole))
        if self._long is not None:
            self._long.add(rest)
        elif len(self._rest) + len(rest) > self._limit:
            self._long = _LongEntry(self._rest + rest, self._limit)
            self._rest = b""
        else:
            self._rest += rest
        return entries

    def _line(self, line: bytes) -> tuple[str, bytes]:
        if len(line) > self._limit:
            return self._ended(_LongEntry(line, self._limit))
        found = _CURSOR.search(line)
        if found is None or not is_whole(line):
            return self.cursor, wrapped(line, self.cursor)
        self.cursor = found[1].decode(errors="replace")
        return self.cursor, line + b"\n"

    def _ended(self, long: _LongEntry) -> tuple[str, bytes]:
        self.cursor = long.cursor or self.cursor
        return self.cursor, wrapped(long.head, self.cursor, long.whole.end())


class _LongEntry:
    """A line too long to be kept: its beginning and its cursor."""

    def __init__(self, content: bytes, limit: int) -> None:
        self.head = content[: limit // 8]  # wrapped, it is as long as `limit` at most
        self.whole = Truncation()
        self.cursor = ""
        self._end = b""
        self.add(content)

    def add(self, content: bytes) -> None:
        self.whole.add(content)
        seen = self._end + content
        if found := _CURSOR.search(seen):
            self.cursor = found[1].decode(errors="replace")
        self._end = seen[-_OVERLAP:]


def wrapped(content: bytes, cursor: str, truncated: Truncated | None = None) -> bytes:
    """The line of a spool for something that is no entry, or for the beginning of one that is too long."""
    try:
        message: str | list[int] = content.decode()
    except UnicodeDecodeError:
        message = list(content)
    cut = {"cut": truncated.as_field()} if truncated else {}
    return _encoder.encode({"__CURSOR": cursor, "MESSAGE": message, **cut}) + b"\n"


def cursor_of(line: bytes) -> str:
    """The cursor that stands in a whole line of the spool; '' where there is none."""
    found = _CURSOR.search(line)
    return found[1].decode(errors="replace") if found else ""


def is_whole(line: bytes) -> bool:
    """Whether it is a line of the spool, and not what a crash has left of one."""
    return line.startswith(b"{") and bool(_decoded(line))


def is_of(line: bytes, units: Sequence[str]) -> bool:
    """Whether an entry is of one of the units, or about it: names with or without `.service`, or patterns."""
    entry = _decoded(line)
    names = [name for field in _UNITS if (name := _text(entry.get(field)))]
    return any(fnmatchcase(name, unit) or fnmatchcase(name, f"{unit}.service") for name in names for unit in units)


def parse(line: bytes, max_message: int, default: str) -> JournalEntry:
    """What a line of the spool states. default: the severity of an entry that says nothing of it."""
    entry = _decoded(line)
    content = b"\n".join(_each(entry.get("MESSAGE"))) if entry else line.removesuffix(b"\n")
    truncated = _truncated(entry.get("cut"))
    if len(content) > max_message:
        truncated = truncated or Truncated.of(content)
        content = content[:max_message]
    message = content.decode(errors="replace")
    level, severity_from = _severity(entry, message, default)
    received = _time(entry.get("__REALTIME_TIMESTAMP"))
    facility = _number(entry.get("SYSLOG_FACILITY"))
    return JournalEntry(
        message=message,
        exact=content,
        truncated=truncated,
        severity=level,
        severity_from=severity_from,
        facility=FACILITIES[facility] if facility is not None and facility < len(FACILITIES) else None,
        app=_text(entry.get("SYSLOG_IDENTIFIER")) or _text(entry.get("_COMM")),
        pid=_text(entry.get("SYSLOG_PID")) or _text(entry.get("_PID")),
        msgid=_text(entry.get("MESSAGE_ID")),
        host=_text(entry.get("_HOSTNAME")),
        stated=_time(entry.get("_SOURCE_REALTIME_TIMESTAMP")) or received,
        received=received,
        fields=_fields(entry),
    )


def _severity(entry: Mapping[str, Any], message: str, default: str) -> tuple[str, str]:
    """By PRIORITY; but of what a program just prints systemd says `info` by itself, and then the text may know more."""
    priority = _number(entry.get("PRIORITY"))
    if priority is None or priority >= len(SEVERITIES):
        return severity(message, default)
    level = SEVERITIES[priority]
    if level == "info" and entry.get("_TRANSPORT") == "stdout":
        return severity(message, level)
    return level, STATED


def _fields(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where an entry is from, and what its program adds to the message."""
    fields: dict[str, Any] = {name: text for name, field in _NAMED.items() if (text := _text(entry.get(field)))}
    own = {
        name: _value(value)
        for name, value in entry.items()
        if not name.startswith(("_", "SYSLOG_")) and name not in _TAKEN and name != "cut"
    }
    room = _MAX_FIELDS
    kept = {}
    for name in sorted(own, key=lambda name: (_size(own[name]), name)):
        room -= len(name) + _size(own[name])
        if room < 0:
            break
        kept[name] = own[name]
    if len(kept) < len(own):
        fields["left_out"] = len(own) - len(kept)
    return (fields | {name: kept[name] for name in sorted(kept)}) or None


def _decoded(line: bytes) -> Mapping[str, Any]:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _each(value: Any) -> list[bytes]:
    """The bytes of a field, once for each time that it is there.

    journalctl writes a text, an array of bytes where it is none, or an array of either where there are several.
    """
    if value is None:
        return []
    if isinstance(value, list) and value and not _is_bytes(value):
        return [_bytes(each) for each in value]
    return [_bytes(value)]


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if _is_bytes(value) else _encoder.encode(value)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and 0 <= each < 256 for each in value)


def _text(value: Any) -> str | None:
    """A field's text, the first of several; None where there is none."""
    return next((each.decode(errors="replace") for each in _each(value)), "") or None


def _value(value: Any) -> str | list[str]:
    """A field as it is passed on."""
    texts = [each.decode(errors="replace") for each in _each(value)]
    return texts[0] if len(texts) == 1 else texts


def _size(value: str | list[str]) -> int:
    return len(value) if isinstance(value, str) else sum(len(each) + 1 for each in value)


def _number(value: Any) -> int | None:
    text = _text(value)
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else None


def _time(value: Any) -> float | None:
    """Unix time of microseconds; None for what is none."""
    microseconds = _number(value)
    return microseconds / 1_000_000 if microseconds and microseconds < _LAST else None


def _truncated(value: Any) -> Truncated | None:
    """A line that was too long, as `wrapped` writes it."""
    if isinstance(value, dict) and type(value.get("length")) is int and isinstance(value.get("sha256"), str):
        return Truncated(value["length"], value["sha256"]) if value["length"] else None
    return None
