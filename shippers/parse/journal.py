"""Convert the output of `journalctl -o json` to lines of a spool, and parse these lines. Pure.

`JournalLines` takes bytes as they are read and returns complete lines: each is a JSON object with the cursor of its
entry. Output that is not JSON, or that is too long, is wrapped into such an object. `parse` returns what a record needs
from a line. Any bytes have a result.
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
"""Searched in the undecoded line: inside a JSON string a backslash precedes each quote, so none looks like this."""

_OVERLAP = 600
"""Bytes of a long line that are searched again together with the next ones: a cursor may span both."""

_NOTE = b"-- "
"""Begins journalctl's own messages, such as `-- No entries --`. Entries begin with a brace."""

_UNITS = ("_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "UNIT", "USER_UNIT", "COREDUMP_UNIT")
"""The fields for the unit that an entry comes from, and for the unit that systemd reports on."""

_ORIGIN = {
    "unit": "_SYSTEMD_UNIT",
    "user_unit": "_SYSTEMD_USER_UNIT",
    "boot": "_BOOT_ID",
    "transport": "_TRANSPORT",
}
_TAKEN = frozenset(("MESSAGE", "MESSAGE_ID", "PRIORITY"))

_MAX_FIELDS = 32 << 10
"""Characters of names and values of an entry's own fields. The smallest fields are kept first."""

_LAST = 253_402_300_800 * 1_000_000
"""The end of the year 9999, in microseconds."""

_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The parts of an entry; None for a part that it does not have.

    message: the text of the bytes `exact`.   truncated: describes the whole message if this is only its beginning.
    stated: Unix time of its sender, or else `received`.   received: Unix time of the journal.
    fields: where the entry comes from, and the fields that its program adds.
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
    """A splitter for the output of journalctl: each entry becomes its cursor and its line of the spool.

    limit: bytes of a line.   cursor: of the last entry; output without a cursor of its own gets this one.
    """

    def __init__(self, limit: int, cursor: str = "") -> None:
        self.cursor = cursor
        self._limit = limit
        self._rest = b""
        self._long: _LongEntry | None = None

    def feed(self, content: bytes) -> list[tuple[str, bytes]]:
        """Return the entries that `content` completes."""
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
    """The beginning and the cursor of a line that is too long to keep."""

    def __init__(self, content: bytes, limit: int) -> None:
        self.head = content[: limit // 8]  # a byte takes up to six when wrapped, so the line stays within `limit`
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
    """Return the line of a spool for output that is not an entry, or for the beginning of an entry that is too long."""
    try:
        message: str | list[int] = content.decode()
    except UnicodeDecodeError:
        message = list(content)
    cut = {"cut": truncated.as_field()} if truncated else {}
    return _encoder.encode({"__CURSOR": cursor, "MESSAGE": message, **cut}) + b"\n"


def cursor_of(line: bytes) -> str:
    """Return the cursor in a complete line of the spool; '' if it has none."""
    found = _CURSOR.search(line)
    return found[1].decode(errors="replace") if found else ""


def is_whole(line: bytes) -> bool:
    """Report whether this is a complete line of the spool; a crash can leave part of one."""
    return line.startswith(b"{") and bool(_decoded(line))


def is_of(line: bytes, units: Sequence[str]) -> bool:
    """Report whether an entry comes from, or is about, one of the units.

    units: names with or without `.service`, or patterns.
    """
    entry = _decoded(line)
    names = [name for field in _UNITS if (name := _text(entry.get(field)))]
    return any(fnmatchcase(name, unit) or fnmatchcase(name, f"{unit}.service") for name in names for unit in units)


def parse(line: bytes, max_message: int, default: str) -> JournalEntry:
    """Return what a line of the spool states.

    max_message: bytes of the message.   default: the severity of an entry that states none.
    """
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
    """Use PRIORITY, except where systemd itself sets `info` for printed output: there the text may state more."""
    priority = _number(entry.get("PRIORITY"))
    if priority is None or priority >= len(SEVERITIES):
        return severity(message, default)
    level = SEVERITIES[priority]
    if level == "info" and entry.get("_TRANSPORT") == "stdout":
        return severity(message, level)
    return level, STATED


def _fields(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return where an entry comes from, and the fields that its program adds to the message."""
    fields: dict[str, Any] = {name: text for name, field in _ORIGIN.items() if (text := _text(entry.get(field)))}
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
    """Return the values of a field as bytes, one for each occurrence.

    journalctl writes a string, an array of bytes if the value is not text, or an array of either if a field occurs
    several times.
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
    """Return the text of a field, the first of several; None if it is absent or empty."""
    return next((each.decode(errors="replace") for each in _each(value)), "") or None


def _value(value: Any) -> str | list[str]:
    """Return a field as it goes into the record: a list if the field occurs several times."""
    texts = [each.decode(errors="replace") for each in _each(value)]
    return texts[0] if len(texts) == 1 else texts


def _size(value: str | list[str]) -> int:
    return len(value) if isinstance(value, str) else sum(len(each) + 1 for each in value)


def _number(value: Any) -> int | None:
    text = _text(value)
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else None


def _time(value: Any) -> float | None:
    """Convert microseconds to Unix time; None if the value is not a time."""
    microseconds = _number(value)
    return microseconds / 1_000_000 if microseconds and microseconds < _LAST else None


def _truncated(value: Any) -> Truncated | None:
    """Return what `wrapped` notes about a line that was too long."""
    if isinstance(value, dict) and type(value.get("length")) is int and isinstance(value.get("sha256"), str):
        return Truncated(value["length"], value["sha256"]) if value["length"] else None
    return None
